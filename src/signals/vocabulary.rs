//! Every name on the wire, once: decoder, signals, rules, documentation and tests share these.
//!
//! Old and foreign names (vocabulary section 1) stand beside the current ones; renames that need more than a
//! new name (`http.target`, `http.host`, `rpc.service`) keep an entry of their own and are resolved by the signal.

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum $kind { $($variant,)* }

        impl $kind {
            /// All of them, in order.
            pub const ALL: &[$kind] = &[$($kind::$variant,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The current name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $($kind::$variant => $name,)* }
            }
        }
    };
}
names! {
    /// An attribute of a resource, scope, span, point or log record.
    Attr {
        ServiceName = "service.name",
        ServiceNamespace = "service.namespace",
        ServiceVersion = "service.version",
        ServiceInstanceId = "service.instance.id",
        Environment = "deployment.environment.name",
        IntegrationName = "integration.name",
        SourceName = "integration.source.name",
        DestinationName = "integration.destination.name",
        ConnectionId = "integration.connection.id",
        OwnerName = "integration.owner.name",
        Tier = "integration.tier",
        Sequence = "integration.sequence",
        Endpoint = "integration.endpoint",
        Outcome = "integration.outcome",
        Trigger = "integration.trigger",
        HttpMethod = "http.request.method",
        HttpStatus = "http.response.status_code",
        HttpRoute = "http.route",
        HttpResendCount = "http.request.resend_count",
        HttpTarget = "http.target",
        HttpHost = "http.host",
        UrlFull = "url.full",
        UrlPath = "url.path",
        UrlTemplate = "url.template",
        ServerAddress = "server.address",
        ServerPort = "server.port",
        PeerService = "service.peer.name",
        RpcSystem = "rpc.system.name",
        RpcMethod = "rpc.method",
        RpcService = "rpc.service",
        RpcStatus = "rpc.status_code",
        DbSystem = "db.system.name",
        DbOperation = "db.operation.name",
        DbCollection = "db.collection.name",
        MessagingSystem = "messaging.system",
        MessagingOperationType = "messaging.operation.type",
        MessagingDestination = "messaging.destination.name",
        MessagingDestinationTemplate = "messaging.destination.template",
        FaasTrigger = "faas.trigger",
        FaasName = "faas.name",
        ErrorType = "error.type",
        ExceptionType = "exception.type",
        ExceptionMessage = "exception.message",
        CloudEventId = "cloudevents.event_id",
        CloudEventType = "cloudevents.event_type",
        RetryAttempt = "integration.retry.attempt",
        RetryOf = "integration.retry.of",
        RetryExhausted = "integration.retry.exhausted",
        CredentialId = "integration.credential.id",
        CredentialKind = "integration.credential.kind",
        CredentialRenewal = "integration.credential.renewal",
        CredentialExpiry = "integration.credential.expiry",
        CredentialOwnerType = "integration.credential.owner.type",
        CredentialOwnerName = "integration.credential.owner.name",
        CredentialProvider = "integration.credential.provider.name",
        CredentialFingerprint = "integration.credential.fingerprint",
        IdempotencyKeyHash = "integration.idempotency.key_hash",
        IdempotencyReplayed = "integration.idempotency.replayed",
        RecordsCount = "integration.records.count",
        RecordsFailed = "integration.records.failed",
        RecordsRead = "integration.records.read",
        RecordsWritten = "integration.records.written",
        PageSize = "integration.page.size",
        PageRequested = "integration.page.requested",
        Payload = "integration.payload",
        QueueName = "integration.queue.name",
        QueueState = "integration.queue.state",
        RateLimitName = "integration.rate_limit.name",
        RateLimitAccount = "integration.rate_limit.account",
        WebhookProvider = "integration.webhook.provider",
        WebhookEventType = "integration.webhook.event_type",
        WebhookResult = "integration.webhook.result",
        WebhookReason = "integration.webhook.reason",
        ReconciliationName = "integration.reconciliation.name",
        ReconciliationRunId = "integration.reconciliation.run_id",
        ReconciliationWindowStart = "integration.reconciliation.window.start",
        ReconciliationWindowEnd = "integration.reconciliation.window.end",
        ReconciliationExpected = "integration.reconciliation.expected",
        ReconciliationMatched = "integration.reconciliation.matched",
        ReconciliationMissing = "integration.reconciliation.missing",
        ReconciliationUnexpected = "integration.reconciliation.unexpected",
        ReconciliationMismatched = "integration.reconciliation.mismatched",
        ReconciliationPending = "integration.reconciliation.pending",
        ReconciliationAmountExpected = "integration.reconciliation.amount.expected",
        ReconciliationAmountMatched = "integration.reconciliation.amount.matched",
        ReconciliationCurrency = "integration.reconciliation.currency",
        Entity = "integration.entity",
        ContractPath = "integration.contract.path",
        ContractKind = "integration.contract.kind",
        ContractDirection = "integration.contract.direction",
        ContractFingerprint = "integration.contract.fingerprint",
        ContractExpected = "integration.contract.expected",
        ContractFound = "integration.contract.found",
        HeartbeatName = "integration.heartbeat.name",
        HeartbeatNextAt = "integration.heartbeat.next_at",
        RunName = "integration.run.name",
        RunWatermark = "integration.run.watermark",
        RunNextAt = "integration.run.next_at",
        RecordKeyHash = "integration.record.key_hash",
        RecordHop = "integration.record.hop",
        ChangeKind = "integration.change.kind",
        ChangeEffectiveAt = "integration.change.effective_at",
    }
}
impl Attr {
    /// The attribute that a name on the wire stands for, and whether it is the current name.
    pub fn from_wire(name: &str) -> Option<(Attr, bool)> {
        Some(match name {
            "service.name" => (Attr::ServiceName, true),
            "service.namespace" => (Attr::ServiceNamespace, true),
            "service.version" => (Attr::ServiceVersion, true),
            "service.instance.id" => (Attr::ServiceInstanceId, true),
            "deployment.environment.name" => (Attr::Environment, true),
            "integration.name" => (Attr::IntegrationName, true),
            "integration.source.name" => (Attr::SourceName, true),
            "integration.destination.name" => (Attr::DestinationName, true),
            "integration.connection.id" => (Attr::ConnectionId, true),
            "integration.owner.name" => (Attr::OwnerName, true),
            "integration.tier" => (Attr::Tier, true),
            "integration.sequence" => (Attr::Sequence, true),
            "integration.endpoint" => (Attr::Endpoint, true),
            "integration.outcome" => (Attr::Outcome, true),
            "integration.trigger" => (Attr::Trigger, true),
            "http.request.method" => (Attr::HttpMethod, true),
            "http.response.status_code" => (Attr::HttpStatus, true),
            "http.route" => (Attr::HttpRoute, true),
            "http.request.resend_count" => (Attr::HttpResendCount, true),
            "http.target" => (Attr::HttpTarget, true),
            "http.host" => (Attr::HttpHost, true),
            "url.full" => (Attr::UrlFull, true),
            "url.path" => (Attr::UrlPath, true),
            "url.template" => (Attr::UrlTemplate, true),
            "server.address" => (Attr::ServerAddress, true),
            "server.port" => (Attr::ServerPort, true),
            "service.peer.name" => (Attr::PeerService, true),
            "rpc.system.name" => (Attr::RpcSystem, true),
            "rpc.method" => (Attr::RpcMethod, true),
            "rpc.service" => (Attr::RpcService, true),
            "rpc.status_code" => (Attr::RpcStatus, true),
            "db.system.name" => (Attr::DbSystem, true),
            "db.operation.name" => (Attr::DbOperation, true),
            "db.collection.name" => (Attr::DbCollection, true),
            "messaging.system" => (Attr::MessagingSystem, true),
            "messaging.operation.type" => (Attr::MessagingOperationType, true),
            "messaging.destination.name" => (Attr::MessagingDestination, true),
            "messaging.destination.template" => (Attr::MessagingDestinationTemplate, true),
            "faas.trigger" => (Attr::FaasTrigger, true),
            "faas.name" => (Attr::FaasName, true),
            "error.type" => (Attr::ErrorType, true),
            "exception.type" => (Attr::ExceptionType, true),
            "exception.message" => (Attr::ExceptionMessage, true),
            "cloudevents.event_id" => (Attr::CloudEventId, true),
            "cloudevents.event_type" => (Attr::CloudEventType, true),
            "integration.retry.attempt" => (Attr::RetryAttempt, true),
            "integration.retry.of" => (Attr::RetryOf, true),
            "integration.retry.exhausted" => (Attr::RetryExhausted, true),
            "integration.credential.id" => (Attr::CredentialId, true),
            "integration.credential.kind" => (Attr::CredentialKind, true),
            "integration.credential.renewal" => (Attr::CredentialRenewal, true),
            "integration.credential.expiry" => (Attr::CredentialExpiry, true),
            "integration.credential.owner.type" => (Attr::CredentialOwnerType, true),
            "integration.credential.owner.name" => (Attr::CredentialOwnerName, true),
            "integration.credential.provider.name" => (Attr::CredentialProvider, true),
            "integration.credential.fingerprint" => (Attr::CredentialFingerprint, true),
            "integration.idempotency.key_hash" => (Attr::IdempotencyKeyHash, true),
            "integration.idempotency.replayed" => (Attr::IdempotencyReplayed, true),
            "integration.records.count" => (Attr::RecordsCount, true),
            "integration.records.failed" => (Attr::RecordsFailed, true),
            "integration.records.read" => (Attr::RecordsRead, true),
            "integration.records.written" => (Attr::RecordsWritten, true),
            "integration.page.size" => (Attr::PageSize, true),
            "integration.page.requested" => (Attr::PageRequested, true),
            "integration.payload" => (Attr::Payload, true),
            "integration.queue.name" => (Attr::QueueName, true),
            "integration.queue.state" => (Attr::QueueState, true),
            "integration.rate_limit.name" => (Attr::RateLimitName, true),
            "integration.rate_limit.account" => (Attr::RateLimitAccount, true),
            "integration.webhook.provider" => (Attr::WebhookProvider, true),
            "integration.webhook.event_type" => (Attr::WebhookEventType, true),
            "integration.webhook.result" => (Attr::WebhookResult, true),
            "integration.webhook.reason" => (Attr::WebhookReason, true),
            "integration.reconciliation.name" => (Attr::ReconciliationName, true),
            "integration.reconciliation.run_id" => (Attr::ReconciliationRunId, true),
            "integration.reconciliation.window.start" => (Attr::ReconciliationWindowStart, true),
            "integration.reconciliation.window.end" => (Attr::ReconciliationWindowEnd, true),
            "integration.reconciliation.expected" => (Attr::ReconciliationExpected, true),
            "integration.reconciliation.matched" => (Attr::ReconciliationMatched, true),
            "integration.reconciliation.missing" => (Attr::ReconciliationMissing, true),
            "integration.reconciliation.unexpected" => (Attr::ReconciliationUnexpected, true),
            "integration.reconciliation.mismatched" => (Attr::ReconciliationMismatched, true),
            "integration.reconciliation.pending" => (Attr::ReconciliationPending, true),
            "integration.reconciliation.amount.expected" => (Attr::ReconciliationAmountExpected, true),
            "integration.reconciliation.amount.matched" => (Attr::ReconciliationAmountMatched, true),
            "integration.reconciliation.currency" => (Attr::ReconciliationCurrency, true),
            "integration.entity" => (Attr::Entity, true),
            "integration.contract.path" => (Attr::ContractPath, true),
            "integration.contract.kind" => (Attr::ContractKind, true),
            "integration.contract.direction" => (Attr::ContractDirection, true),
            "integration.contract.fingerprint" => (Attr::ContractFingerprint, true),
            "integration.contract.expected" => (Attr::ContractExpected, true),
            "integration.contract.found" => (Attr::ContractFound, true),
            "integration.heartbeat.name" => (Attr::HeartbeatName, true),
            "integration.heartbeat.next_at" => (Attr::HeartbeatNextAt, true),
            "integration.run.name" => (Attr::RunName, true),
            "integration.run.watermark" => (Attr::RunWatermark, true),
            "integration.run.next_at" => (Attr::RunNextAt, true),
            "integration.record.key_hash" => (Attr::RecordKeyHash, true),
            "integration.record.hop" => (Attr::RecordHop, true),
            "integration.change.kind" => (Attr::ChangeKind, true),
            "integration.change.effective_at" => (Attr::ChangeEffectiveAt, true),
            "http.method" => (Attr::HttpMethod, false),
            "http.status_code" => (Attr::HttpStatus, false),
            "http.url" => (Attr::UrlFull, false),
            "net.peer.name" => (Attr::ServerAddress, false),
            "net.peer.port" => (Attr::ServerPort, false),
            "rpc.system" => (Attr::RpcSystem, false),
            "rpc.response.status_code" => (Attr::RpcStatus, false),
            "rpc.grpc.status_code" => (Attr::RpcStatus, false),
            "db.system" => (Attr::DbSystem, false),
            "db.operation" => (Attr::DbOperation, false),
            "db.sql.table" => (Attr::DbCollection, false),
            "messaging.operation" => (Attr::MessagingOperationType, false),
            "messaging.destination" => (Attr::MessagingDestination, false),
            "peer.service" => (Attr::PeerService, false),
            "deployment.environment" => (Attr::Environment, false),
            _ => return None,
        })
    }
}

names! {
    /// A metric with a meaning to a signal.
    Metric {
        ClientDuration = "http.client.request.duration",
        ServerDuration = "http.server.request.duration",
        RpcClientDuration = "rpc.client.call.duration",
        RpcServerDuration = "rpc.server.call.duration",
        OperationDuration = "integration.operation.duration",
        QueueDepth = "integration.queue.depth",
        QueueOldestAge = "integration.queue.oldest_age",
        QueueEnqueued = "integration.queue.enqueued",
        QueueDequeued = "integration.queue.dequeued",
        QueueDeadLettered = "integration.queue.dead_lettered",
        CredentialInfo = "integration.credential.info",
        CredentialExpiresAt = "integration.credential.expires_at",
        CredentialIssuedAt = "integration.credential.issued_at",
        CredentialLastRefreshedAt = "integration.credential.last_refreshed_at",
        CredentialLastUsedAt = "integration.credential.last_used_at",
        CredentialRotationDueAt = "integration.credential.rotation_due_at",
        CredentialIdleLimit = "integration.credential.idle_limit",
        CredentialRefreshes = "integration.credential.refreshes",
        RateLimitLimit = "integration.rate_limit.limit",
        RateLimitRemaining = "integration.rate_limit.remaining",
        RateLimitResetsAt = "integration.rate_limit.resets_at",
        RateLimitWait = "integration.rate_limit.wait",
        WebhookDeliveries = "integration.webhook.deliveries",
        WebhookDelay = "integration.webhook.delay",
        ReconciliationExpected = "integration.reconciliation.expected",
        ReconciliationMatched = "integration.reconciliation.matched",
        ReconciliationMissing = "integration.reconciliation.missing",
        ReconciliationUnexpected = "integration.reconciliation.unexpected",
        ReconciliationMismatched = "integration.reconciliation.mismatched",
        ReconciliationPending = "integration.reconciliation.pending",
        ReconciliationNextRunAt = "integration.reconciliation.next_run_at",
        ContractViolations = "integration.contract.violations",
        Heartbeat = "integration.heartbeat",
    }
}
impl Metric {
    /// The metric that a name on the wire stands for.
    pub fn from_wire(name: &str) -> Option<Metric> {
        Some(match name {
            "http.client.request.duration" => Metric::ClientDuration,
            "http.server.request.duration" => Metric::ServerDuration,
            "rpc.client.call.duration" => Metric::RpcClientDuration,
            "rpc.server.call.duration" => Metric::RpcServerDuration,
            "integration.operation.duration" => Metric::OperationDuration,
            "integration.queue.depth" => Metric::QueueDepth,
            "integration.queue.oldest_age" => Metric::QueueOldestAge,
            "integration.queue.enqueued" => Metric::QueueEnqueued,
            "integration.queue.dequeued" => Metric::QueueDequeued,
            "integration.queue.dead_lettered" => Metric::QueueDeadLettered,
            "integration.credential.info" => Metric::CredentialInfo,
            "integration.credential.expires_at" => Metric::CredentialExpiresAt,
            "integration.credential.issued_at" => Metric::CredentialIssuedAt,
            "integration.credential.last_refreshed_at" => Metric::CredentialLastRefreshedAt,
            "integration.credential.last_used_at" => Metric::CredentialLastUsedAt,
            "integration.credential.rotation_due_at" => Metric::CredentialRotationDueAt,
            "integration.credential.idle_limit" => Metric::CredentialIdleLimit,
            "integration.credential.refreshes" => Metric::CredentialRefreshes,
            "integration.rate_limit.limit" => Metric::RateLimitLimit,
            "integration.rate_limit.remaining" => Metric::RateLimitRemaining,
            "integration.rate_limit.resets_at" => Metric::RateLimitResetsAt,
            "integration.rate_limit.wait" => Metric::RateLimitWait,
            "integration.webhook.deliveries" => Metric::WebhookDeliveries,
            "integration.webhook.delay" => Metric::WebhookDelay,
            "integration.reconciliation.expected" => Metric::ReconciliationExpected,
            "integration.reconciliation.matched" => Metric::ReconciliationMatched,
            "integration.reconciliation.missing" => Metric::ReconciliationMissing,
            "integration.reconciliation.unexpected" => Metric::ReconciliationUnexpected,
            "integration.reconciliation.mismatched" => Metric::ReconciliationMismatched,
            "integration.reconciliation.pending" => Metric::ReconciliationPending,
            "integration.reconciliation.next_run_at" => Metric::ReconciliationNextRunAt,
            "integration.contract.violations" => Metric::ContractViolations,
            "integration.heartbeat" => Metric::Heartbeat,
            "http.client.duration" => Metric::ClientDuration,
            "http.server.duration" => Metric::ServerDuration,
            _ => return None,
        })
    }
}

names! {
    /// A log record with a meaning to a signal, by its `event_name`.
    Event {
        RunCompleted = "integration.run.completed",
        ReconciliationCompleted = "integration.reconciliation.completed",
        ReconciliationMissing = "integration.reconciliation.missing",
        Record = "integration.record",
        CredentialRefreshFailed = "integration.credential.refresh_failed",
        CredentialRetired = "integration.credential.retired",
        ConnectionClosed = "integration.connection.closed",
        ContractShape = "integration.contract.shape",
        ContractViolation = "integration.contract.violation",
        WebhookRejected = "integration.webhook.rejected",
        Change = "integration.change",
        Exception = "exception",
        HttpClientException = "http.client.request.exception",
    }
}
impl Event {
    /// The event that a name on the wire stands for.
    pub fn from_wire(name: &str) -> Option<Event> {
        Event::ALL.iter().copied().find(|event| event.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_own_variant() {
        for attr in Attr::ALL {
            assert_eq!(Attr::from_wire(attr.name()), Some((*attr, true)));
        }
        for metric in Metric::ALL {
            assert_eq!(Metric::from_wire(metric.name()), Some(*metric));
        }
        for event in Event::ALL {
            assert_eq!(Event::from_wire(event.name()), Some(*event));
        }
    }

    #[test]
    fn an_old_name_is_known_as_old() {
        assert_eq!(Attr::from_wire("http.method"), Some((Attr::HttpMethod, false)));
        assert_eq!(Attr::from_wire("integration.nothing"), None);
    }
}
