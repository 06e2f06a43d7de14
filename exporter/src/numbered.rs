//! Batches of spans and events are counted, so that the server sees what never came.

use std::future::{Future, ready};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_executor::block_on;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::names;

/// The numbers of one process: one after the other, whatever they are given to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Arc<AtomicI64>);

/// An exporter that numbers its batches in their resource.
#[derive(Debug)]
pub(crate) struct Numbered<E> {
    inner: Mutex<E>,
    resource: Resource,
    numbers: Numbers,
}

impl<E> Numbered<E> {
    pub(crate) fn new(inner: E, numbers: &Numbers) -> Numbered<E> {
        let resource = Resource::builder_empty().build();
        Numbered { inner: Mutex::new(inner), resource, numbers: numbers.clone() }
    }

    // The exporter inside holds nothing that a panic could leave half done.
    fn lock(&self) -> MutexGuard<'_, E> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn numbered(&self) -> Resource {
        let number = self.numbers.0.fetch_add(1, Ordering::Relaxed);
        let own = self.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let own = own.chain([KeyValue::new(names::SEQUENCE, number)]);
        Resource::builder_empty().with_attributes(own).build()
    }
}

// Exports have a thread of their own and block it anyway.
impl<E: SpanExporter> SpanExporter for Numbered<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let mut inner = self.lock();
        inner.set_resource(&self.numbered());
        ready(block_on(inner.export(batch)))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.lock().shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.lock().force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.clone();
        self.lock().set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Numbered<E> {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        let mut inner = self.lock();
        inner.set_resource(&self.numbered());
        ready(block_on(inner.export(batch)))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.lock().shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.clone();
        self.lock().set_resource(resource);
    }
}
