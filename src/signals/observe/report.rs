//! What a minimal report means: a run, and what else it tells of.

use super::super::call::Class;
use super::super::credential::SlotUpdate;
use super::super::failure::Row;
use super::super::heartbeat::{self, Report};
use super::super::lookup::Lookup;
use super::super::observation::{Call, Direction, Gauge, IntegrationKey, ReconciliationRun, Source};
use super::super::telemetry::{Attributes, Origin, Point, PointValue, Refusal, Value};
use super::super::vocabulary::{Attr, Metric};
use super::super::{credential, endpoint, queue, reconciliation, retry};
use super::failures::Failed;
use super::{Observer, hash};

impl Observer {
    /// Takes a minimal report in.
    ///
    /// # Errors
    /// Its sender may not speak for this integration.
    pub fn report(&mut self, integration: &str, report: &Report) -> Result<(), Refusal> {
        let mut resource = Attributes::default();
        resource.push(Attr::IntegrationName.name().into(), Value::Str(integration.into()));
        if let Some(environment) = &report.environment {
            resource.push(Attr::Environment.name().into(), Value::Str(environment.as_str().into()));
        }
        let none = Attributes::default();
        let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &none };
        let look = Lookup { own: &none, scope: &none, resource: &resource };
        let at = self.integration(&origin, &look, "")?;
        let (key, time) = (self.seen.integrations[at].key.clone(), self.received_at);
        self.seen.runs.push(heartbeat::reported(key.clone(), report, time));
        if report.status.is_some() || report.endpoint.is_some() || report.duration_ms.is_some() {
            self.reported_call(at, &key, report);
        }
        if let Some(depth) = report.queue_depth.filter(|depth| depth.is_finite() && *depth >= 0.0) {
            let mut own = Attributes::default();
            own.push(Attr::QueueName.name().into(), Value::Str("default".into()));
            let look = Lookup { own: &own, scope: &none, resource: &resource };
            let value = PointValue::Gauge(depth);
            let point = Point { metric: "", unit: "", start: 0, time, attributes: &own, value };
            if let Ok(key) = queue::series(Metric::QueueDepth, key.clone(), &look, &point, 0) {
                self.seen.gauges.push(Gauge { key, time, value: depth });
            }
        }
        if let Some(expires_at) = report.token_expires_at {
            let update = credential::empty(key.clone(), "default", time);
            self.seen.slots.push(SlotUpdate { expires_at: Some(expires_at), ..update });
        }
        if let (Some(expected), Some(matched)) = (report.expected, report.reconciled) {
            let run = reconciliation::of(key, "report", "", &time.to_string(), time);
            let run = ReconciliationRun { expected, matched, net_only: true, ..run };
            self.seen.reconciliations.push(run);
        }
        Ok(())
    }

    fn reported_call(&mut self, at: usize, key: &IntegrationKey, report: &Report) {
        let name = report.endpoint.as_deref().unwrap_or("run");
        let series = self.intern(at, Direction::Outbound, "", endpoint::cut(name), Source::Report);
        let failed = report.records_failed.unwrap_or(0);
        let class = match report.status.as_deref() {
            Some("failure") => Class::Failed,
            _ if failed > 0 => Class::Partial,
            _ => Class::Ok,
        };
        if class.is_bad() {
            let message = report.message.as_deref().unwrap_or("");
            let (direction, place) = (Some(Direction::Outbound), ("", endpoint::cut(name)));
            let time = self.received_at;
            self.fail(Failed {
                integration: at,
                direction,
                place,
                kind: "failure",
                message,
                time,
                row: Row::Told,
            });
        }
        let connection = report.connection.as_deref().map(|id| self.name(id));
        let duration_us = (report.duration_ms.unwrap_or(0.0).max(0.0) * 1000.0) as u64;
        let operation = hash(&(&*key.name, self.received_at, name));
        self.seen.calls.push(Call {
            records: report.records.unwrap_or(0),
            records_failed: failed,
            connection,
            ..Call::plain(series, self.received_at, duration_us, class, operation)
        });
        self.attempts.push(retry::Attempt::default());
    }
}
