//! The names on the wire that this crate writes.

pub const INTEGRATION_NAME: &str = "integration.name";
pub const ENVIRONMENT: &str = "deployment.environment.name";
pub const SOURCE_NAME: &str = "integration.source.name";
pub const DESTINATION_NAME: &str = "integration.destination.name";
pub const OWNER_NAME: &str = "integration.owner.name";
pub const TIER: &str = "integration.tier";
pub const SERVICE_VERSION: &str = "service.version";
pub const SEQUENCE: &str = "integration.sequence";
pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub const CONNECTION_ID: &str = "integration.connection.id";
pub const ENTITY: &str = "integration.entity";
pub const OUTCOME: &str = "integration.outcome";

pub const HTTP_METHOD: &str = "http.request.method";
pub const HTTP_STATUS: &str = "http.response.status_code";
pub const HTTP_ROUTE: &str = "http.route";
pub const HTTP_RESEND_COUNT: &str = "http.request.resend_count";
pub const URL_TEMPLATE: &str = "url.template";
pub const SERVER_ADDRESS: &str = "server.address";
pub const ERROR_TYPE: &str = "error.type";
pub const EXCEPTION: &str = "exception";
pub const EXCEPTION_TYPE: &str = "exception.type";
pub const EXCEPTION_MESSAGE: &str = "exception.message";
pub const PAYLOAD: &str = "integration.payload";
pub const RETRY_OF: &str = "integration.retry.of";
pub const RECORDS_COUNT: &str = "integration.records.count";
pub const RECORDS_FAILED: &str = "integration.records.failed";
pub const RECORDS_READ: &str = "integration.records.read";
pub const RECORDS_WRITTEN: &str = "integration.records.written";
pub const WEBHOOK_PROVIDER: &str = "integration.webhook.provider";
pub const WEBHOOK_EVENT_TYPE: &str = "integration.webhook.event_type";

pub const QUEUE_NAME: &str = "integration.queue.name";
pub const QUEUE_DEPTH: &str = "integration.queue.depth";
pub const QUEUE_OLDEST_AGE: &str = "integration.queue.oldest_age";

pub const CREDENTIAL_ID: &str = "integration.credential.id";
pub const CREDENTIAL_KIND: &str = "integration.credential.kind";
pub const CREDENTIAL_RENEWAL: &str = "integration.credential.renewal";
pub const CREDENTIAL_EXPIRY: &str = "integration.credential.expiry";
pub const CREDENTIAL_OWNER_TYPE: &str = "integration.credential.owner.type";
pub const CREDENTIAL_OWNER_NAME: &str = "integration.credential.owner.name";
pub const CREDENTIAL_PROVIDER: &str = "integration.credential.provider.name";
pub const CREDENTIAL_FINGERPRINT: &str = "integration.credential.fingerprint";
pub const CREDENTIAL_INFO: &str = "integration.credential.info";
pub const CREDENTIAL_EXPIRES_AT: &str = "integration.credential.expires_at";
pub const CREDENTIAL_ISSUED_AT: &str = "integration.credential.issued_at";
pub const CREDENTIAL_RETIRED: &str = "integration.credential.retired";

pub const RUN_COMPLETED: &str = "integration.run.completed";
pub const RUN_NAME: &str = "integration.run.name";
pub const RUN_WATERMARK: &str = "integration.run.watermark";
pub const RUN_NEXT_AT: &str = "integration.run.next_at";

pub const RECONCILIATION_COMPLETED: &str = "integration.reconciliation.completed";
pub const RECONCILIATION_NAME: &str = "integration.reconciliation.name";
pub const RECONCILIATION_RUN_ID: &str = "integration.reconciliation.run_id";
pub const RECONCILIATION_WINDOW_START: &str = "integration.reconciliation.window.start";
pub const RECONCILIATION_WINDOW_END: &str = "integration.reconciliation.window.end";
pub const RECONCILIATION_EXPECTED: &str = "integration.reconciliation.expected";
pub const RECONCILIATION_MATCHED: &str = "integration.reconciliation.matched";
pub const RECONCILIATION_MISSING: &str = "integration.reconciliation.missing";
pub const RECONCILIATION_UNEXPECTED: &str = "integration.reconciliation.unexpected";
pub const RECONCILIATION_MISMATCHED: &str = "integration.reconciliation.mismatched";
pub const RECONCILIATION_PENDING: &str = "integration.reconciliation.pending";
