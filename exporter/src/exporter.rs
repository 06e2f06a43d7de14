//! Who the integration is and where its telemetry goes.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatch, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};

use crate::error::Error;
use crate::integration::Integration;
use crate::names;
use crate::numbered::{Numbered, Numbers};

/// Finished spans and events that wait for export; what comes on top is dropped, as OpenTelemetry has it.
pub const QUEUE_SIZE: usize = 65_536;
/// Spans or events in one request at most.
pub const BATCH_SIZE: usize = 2_048;

/// The entry: [`Exporter::builder`].
#[derive(Debug)]
pub struct Exporter;

/// How much an integration matters; decides severities unless the server's configuration says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Money or orders stop when it stops.
    Critical,
    /// The usual.
    #[default]
    Standard,
    /// A convenience.
    Simple,
}

impl Tier {
    /// The value on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Critical => "critical",
            Tier::Standard => "standard",
            Tier::Simple => "simple",
        }
    }
}

/// Settings of one integration's exporter.
#[derive(Clone)]
pub struct Builder {
    endpoint: String,
    attributes: Vec<KeyValue>,
    bearer: Option<String>,
    interval: Duration,
}

impl Exporter {
    /// Begins with the integration's stable name, as in `stripe-accounting`.
    pub fn builder(name: impl Into<String>) -> Builder {
        let name = name.into();
        Builder {
            endpoint: "http://127.0.0.1:4318".into(),
            attributes: vec![
                KeyValue::new(names::INTEGRATION_NAME, name.clone()),
                KeyValue::new("service.name", name),
                KeyValue::new(names::SERVICE_INSTANCE_ID, process()),
            ],
            bearer: None,
            interval: Duration::from_secs(15),
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key stays out of logs.
        out.debug_struct("Builder")
            .field("endpoint", &self.endpoint)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Root of the OTLP/HTTP door, without `/v1/...`; `http://127.0.0.1:4318` unless set.
    pub fn endpoint(mut self, root: impl Into<String>) -> Builder {
        self.endpoint = root.into();
        self
    }

    /// `deployment.environment.name`, part of the integration's identity.
    pub fn environment(self, name: impl Into<String>) -> Builder {
        self.attribute(names::ENVIRONMENT, name.into())
    }

    /// The system that data comes from. An integration that goes both ways names both at both ends: `HubSpot, CRM`.
    pub fn source(self, name: impl Into<String>) -> Builder {
        self.attribute(names::SOURCE_NAME, name.into())
    }

    /// The system that data goes to.
    pub fn destination(self, name: impl Into<String>) -> Builder {
        self.attribute(names::DESTINATION_NAME, name.into())
    }

    /// The team that owns it: a label, never an address.
    pub fn owner(self, name: impl Into<String>) -> Builder {
        self.attribute(names::OWNER_NAME, name.into())
    }

    /// How much it matters.
    pub fn tier(self, tier: Tier) -> Builder {
        self.attribute(names::TIER, tier.name())
    }

    /// `service.version`; a change is a deploy.
    pub fn version(self, version: impl Into<String>) -> Builder {
        self.attribute(names::SERVICE_VERSION, version.into())
    }

    /// `service.instance.id`: tells processes of one integration apart. Unless set it is new with each process.
    pub fn instance(self, id: impl Into<String>) -> Builder {
        self.attribute(names::SERVICE_INSTANCE_ID, id.into())
    }

    /// A further resource attribute; the last value of a key stands.
    pub fn attribute(mut self, key: &'static str, value: impl Into<Value>) -> Builder {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// The key that is sent as `Authorization: Bearer`.
    pub fn bearer(mut self, key: impl Into<String>) -> Builder {
        self.bearer = Some(key.into());
        self
    }

    /// How often gauges are sent, and how long a span may wait; 15 s unless set.
    pub fn interval(mut self, every: Duration) -> Builder {
        self.interval = every;
        self
    }

    /// Starts the pipeline (three threads of its own) and sets nothing process-wide.
    ///
    /// # Errors
    /// [`Error::Setting`] for an empty name, a zero interval or an endpoint that is not `http://host:port`;
    /// [`Error::Build`] when the HTTP client cannot be made. A server that is away is no error here.
    pub fn build(self) -> Result<Integration, Error> {
        self.check()?;
        let root = self.endpoint.trim_end_matches('/').to_owned();
        let resource = Resource::builder().with_attributes(self.attributes.clone()).build();
        let headers: HashMap<String, String> =
            self.bearer.iter().map(|key| ("authorization".to_owned(), format!("Bearer {key}"))).collect();

        let spans =
            http(SpanExporter::builder().with_http(), &root, "traces", &headers).build().map_err(build)?;
        let metrics =
            http(MetricExporter::builder().with_http(), &root, "metrics", &headers).build().map_err(build)?;
        let logs =
            http(LogExporter::builder().with_http(), &root, "logs", &headers).build().map_err(build)?;

        let span_batch = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_SIZE)
            .with_max_export_batch_size(BATCH_SIZE)
            .with_scheduled_delay(self.interval)
            .build();
        let log_batch = LogBatch::default()
            .with_max_queue_size(QUEUE_SIZE)
            .with_max_export_batch_size(BATCH_SIZE)
            .with_scheduled_delay(self.interval)
            .build();
        let numbers = Numbers::default();
        // Every call counts in a success rate: only a caller that was not sampled is followed.
        let tracers = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_span_processor(
                BatchSpanProcessor::builder(Numbered::new(spans, &numbers))
                    .with_batch_config(span_batch)
                    .build(),
            )
            .build();
        let meters = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(PeriodicReader::builder(metrics).with_interval(self.interval).build())
            .build();
        let loggers = SdkLoggerProvider::builder()
            .with_resource(resource)
            .with_log_processor(
                BatchLogProcessor::builder(Numbered::new(logs, &numbers))
                    .with_batch_config(log_batch)
                    .build(),
            )
            .build();
        Ok(Integration::new(tracers, meters, loggers))
    }

    fn check(&self) -> Result<(), Error> {
        let named = self.attributes.first().is_some_and(|name| !name.value.as_str().trim().is_empty());
        if !named {
            return Err(Error::Setting(
                "the integration's name is empty: give a stable one, like stripe-accounting".into(),
            ));
        }
        if self.interval.is_zero() {
            return Err(Error::Setting("the interval is 0: give at least a second".into()));
        }
        if self.endpoint.starts_with("https://") {
            let why = "this build of the exporter speaks plain HTTP only: send to a Collector or proxy nearby that adds TLS";
            return Err(Error::Setting(format!("the endpoint is {}: {why}", self.endpoint)));
        }
        let host = self.endpoint.strip_prefix("http://").unwrap_or("");
        if host.trim_matches('/').is_empty() || host.contains(char::is_whitespace) {
            return Err(Error::Setting(format!(
                "the endpoint \"{}\" is no address: write it as http://host:port",
                self.endpoint
            )));
        }
        Ok(())
    }
}

/// A name for this process that no other has.
fn process() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    root: &str,
    signal: &str,
    headers: &HashMap<String, String>,
) -> B {
    builder
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{root}/v1/{signal}"))
        .with_timeout(Duration::from_secs(10))
        .with_compression(Compression::Gzip)
        .with_headers(headers.clone())
}

fn build(why: ExporterBuildError) -> Error {
    Error::Build(why.to_string())
}
