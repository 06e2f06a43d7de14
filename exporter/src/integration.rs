//! A running exporter: what the integration tells of itself.

use std::sync::{Arc, Mutex};

use opentelemetry::global;
use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::call::Call;
use crate::credential::Credential;
use crate::error::Error;
use crate::queue::Queue;
use crate::readings::{Readings, observe};

const SCOPE: &str = "seamwatch-exporter";

/// One integration's telemetry. Cheap to clone; all clones are the same pipeline.
#[derive(Clone, Debug)]
pub struct Integration {
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
    loggers: SdkLoggerProvider,
    tracer: SdkTracer,
    logger: SdkLogger,
    readings: Arc<Mutex<Readings>>,
}

impl Integration {
    pub(crate) fn new(
        tracers: SdkTracerProvider,
        meters: SdkMeterProvider,
        loggers: SdkLoggerProvider,
    ) -> Integration {
        let readings = Arc::new(Mutex::new(Readings::default()));
        observe(&meters.meter(SCOPE), &readings);
        let (tracer, logger) = (tracers.tracer(SCOPE), loggers.logger(SCOPE));
        Integration { tracers, meters, loggers, tracer, logger, readings }
    }

    /// For spans of the integration's own.
    pub fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }

    /// For metrics of the integration's own.
    pub fn meter(&self) -> Meter {
        self.meters.meter(SCOPE)
    }

    /// For log records of the integration's own.
    pub fn logger(&self) -> &SdkLogger {
        &self.logger
    }

    /// A layer that turns `tracing` spans into spans of this integration; add it to the subscriber of your choice.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        tracing_opentelemetry::layer().with_tracer(self.tracer.clone())
    }

    /// Makes this pipeline the process-wide one (tracer and meter provider, W3C trace context), so that other
    /// libraries' OpenTelemetry instrumentation goes through it. For a process that is one integration.
    pub fn install(&self) {
        global::set_tracer_provider(self.tracers.clone());
        global::set_meter_provider(self.meters.clone());
        global::set_text_map_propagator(TraceContextPropagator::new());
    }

    /// A call to another system: a CLIENT span. `template` is the path without values, as in `/v1/charges/{id}`.
    pub fn call(
        &self,
        method: &'static str,
        peer: impl Into<String>,
        template: impl Into<String>,
    ) -> Call<'_> {
        Call::outbound(&self.tracer, method, peer.into(), template.into())
    }

    /// A call that the integration answers, as a webhook: a SERVER span.
    pub fn inbound(&self, method: &'static str, route: impl Into<String>) -> Call<'_> {
        Call::inbound(&self.tracer, method, route.into())
    }

    /// A queue by its name.
    pub fn queue(&self, name: impl Into<String>) -> Queue {
        Queue::new(name.into(), self.readings.clone())
    }

    /// A credential slot by its name: never the secret itself.
    pub fn credential(&self, id: impl Into<String>) -> Credential {
        Credential::new(id.into(), self.readings.clone())
    }

    /// Sends all that waits and returns when the server has answered. Blocks: not on an async worker. A signal has
    /// five seconds; what waits longer is still sent, but counts as an error here, so flush a replay often.
    ///
    /// # Errors
    /// [`Error::Export`] with a sentence for each signal that was not delivered.
    pub fn force_flush(&self) -> Result<(), Error> {
        all([
            ("traces", self.tracers.force_flush()),
            ("metrics", self.meters.force_flush()),
            ("logs", self.loggers.force_flush()),
        ])
    }

    /// Sends all that waits and stops the pipeline; later signals are dropped. Blocks: not on an async worker.
    ///
    /// # Errors
    /// [`Error::Export`] with a sentence for each signal that was not delivered, or when it was shut down before.
    pub fn shutdown(&self) -> Result<(), Error> {
        all([
            ("traces", self.tracers.shutdown()),
            ("metrics", self.meters.shutdown()),
            ("logs", self.loggers.shutdown()),
        ])
    }
}

fn all(results: [(&str, OTelSdkResult); 3]) -> Result<(), Error> {
    let failed: Vec<String> = results
        .into_iter()
        .filter_map(|(signal, result)| result.err().map(|why| format!("{signal}: {why}")))
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::Export(failed)) }
}
