//! Credentials as gauges: their kind, who renews them and their instants. Never the secret, only a fingerprint.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opentelemetry::KeyValue;

use crate::names;
use crate::readings::{Readings, lock};

/// What kind of credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    AccessToken,
    RefreshToken,
    ApiKey,
    WebhookSecret,
    Certificate,
    Password,
}

impl Kind {
    /// The value on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::AccessToken => "access_token",
            Kind::RefreshToken => "refresh_token",
            Kind::ApiKey => "api_key",
            Kind::WebhookSecret => "webhook_secret",
            Kind::Certificate => "certificate",
            Kind::Password => "password",
        }
    }
}

/// Who renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The integration does, before it expires.
    Automatic,
    /// A person must.
    Manual,
}

impl Renewal {
    /// The value on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Renewal::Automatic => "automatic",
            Renewal::Manual => "manual",
        }
    }
}

/// All that is known of the credential that is in the slot now; unknown stays unknown.
#[derive(Clone, Debug, Default)]
pub struct CredentialState {
    /// What kind it is.
    pub kind: Option<Kind>,
    /// Who renews it.
    pub renewal: Option<Renewal>,
    /// When it was issued.
    pub issued_at: Option<SystemTime>,
    /// When it expires.
    pub expires_at: Option<SystemTime>,
    /// It never does.
    pub never_expires: bool,
    /// Whose it is: `service_account` or `person`, and a name.
    pub owner: Option<(String, String)>,
    /// Who issued it.
    pub provider: Option<String>,
    /// A hash that tells generations apart; never a part of the secret.
    pub fingerprint: Option<String>,
    /// Which customer account or tenant it is for.
    pub connection: Option<String>,
}

impl CredentialState {
    pub(crate) fn info(&self, id: &str) -> Vec<KeyValue> {
        let expiry = match (self.never_expires, self.expires_at) {
            (true, _) => Some("never".to_owned()),
            (false, Some(_)) => Some("at".to_owned()),
            (false, None) => None,
        };
        let owner = self.owner.clone().unzip();
        let optional = [
            (names::CREDENTIAL_KIND, self.kind.map(|kind| kind.name().to_owned())),
            (names::CREDENTIAL_RENEWAL, self.renewal.map(|renewal| renewal.name().to_owned())),
            (names::CREDENTIAL_EXPIRY, expiry),
            (names::CREDENTIAL_OWNER_TYPE, owner.0),
            (names::CREDENTIAL_OWNER_NAME, owner.1),
            (names::CREDENTIAL_PROVIDER, self.provider.clone()),
            (names::CREDENTIAL_FINGERPRINT, self.fingerprint.clone()),
            (names::CONNECTION_ID, self.connection.clone()),
        ];
        let mut out = vec![KeyValue::new(names::CREDENTIAL_ID, id.to_owned())];
        out.extend(
            optional.into_iter().filter_map(|(key, value)| value.map(|value| KeyValue::new(key, value))),
        );
        out
    }
}

/// A credential slot: a new state in it supersedes the old.
#[derive(Clone, Debug)]
pub struct Credential {
    id: String,
    readings: Arc<Mutex<Readings>>,
}

impl Credential {
    pub(crate) fn new(id: String, readings: Arc<Mutex<Readings>>) -> Credential {
        Credential { id, readings }
    }

    /// What is in the slot from now on.
    pub fn set(&self, state: CredentialState) {
        lock(&self.readings).credentials.insert(self.id.clone(), state);
    }

    /// Nothing more is said of it. Say [`crate::integration::Integration::credential_retired`] when it is gone on purpose.
    pub fn withdraw(&self) {
        lock(&self.readings).credentials.remove(&self.id);
    }
}
