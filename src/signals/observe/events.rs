//! What a log record means: an event of the vocabulary (section 5), or nothing but a log.

use crate::signals::fact::{Fact, Said};
use crate::signals::lookup::Lookup;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::{Log, Nanos, Origin, Refusal};
use crate::signals::vocabulary::{Attr, Event};
use crate::signals::{
    announce, change, contract, credential, endpoint, heartbeat, ledger, reconciliation, refresh, webhook,
};

use super::Observer;

impl Observer {
    /// Takes a log record in and says whose it is.
    pub fn log(&mut self, origin: &Origin<'_, '_>, log: &Log<'_>) -> Result<&IntegrationKey, Refusal> {
        let look = Lookup { own: &log.attributes, scope: origin.scope, resource: origin.resource };
        let (peer, _) = endpoint::peer(&look);
        let at = self.integration(origin, &look, &peer)?;
        let event = Event::from_wire(&log.event_name);
        let time = self.time(log.time);
        match event {
            Some(Event::Change) => {
                let integration = self.seen.integrations[at].key.clone();
                let announced = announce::told(&look, log, &peer);
                self.seen.facts.extend(announced.map(|said| Fact { integration, time, said }));
                self.note_change(at, time, change::told(&look, log, time));
            }
            Some(event) => {
                let key = self.seen.integrations[at].key.clone();
                self.event(event, key, &look, log, time)?;
            }
            None => {}
        }
        self.note_log(at, (log, event), &peer, (time, self.rows));
        self.rows += 1;
        Ok(&self.seen.integrations[at].key)
    }

    fn event(
        &mut self,
        event: Event,
        integration: IntegrationKey,
        look: &Lookup<'_, '_>,
        log: &Log<'_>,
        time: Nanos,
    ) -> Result<(), Refusal> {
        let said = match event {
            Event::RunCompleted => {
                self.seen.runs.push(heartbeat::run(integration, look, log, time)?);
                return Ok(());
            }
            Event::ReconciliationCompleted => {
                let run = reconciliation::event(integration, look, time)?;
                if run.matched > run.expected {
                    self.notice("reconciliations that matched more than was expected");
                }
                self.seen.reconciliations.push(run);
                return Ok(());
            }
            Event::CredentialRetired => {
                let id =
                    look.str(Attr::CredentialId).ok_or(Refusal::Borrowed("no integration.credential.id"))?;
                let mut update = credential::empty(integration, id, time);
                update.retired = true;
                credential::join(&mut self.seen.slots, &mut self.slots, update);
                return Ok(());
            }
            Event::ReconciliationMissing => {
                let (missing, cut) = reconciliation::missing(look, log)?;
                if cut {
                    self.notice("lists of missing records cut to a hundred");
                }
                Said::Missing(missing)
            }
            Event::Record => ledger::hop(look)?,
            Event::CredentialRefreshFailed => refresh::failed(look)?,
            Event::ConnectionClosed => {
                let id =
                    look.str(Attr::ConnectionId).ok_or(Refusal::Borrowed("no integration.connection.id"))?;
                Said::ConnectionClosed { connection: endpoint::cut(id).into() }
            }
            Event::ContractShape => contract::shape(look, log)?,
            Event::ContractViolation => contract::violation(look)?,
            Event::WebhookRejected => webhook::rejected(look),
            Event::Change | Event::Exception | Event::HttpClientException => return Ok(()),
        };
        self.seen.facts.push(Fact { integration, time, said });
        Ok(())
    }
}
