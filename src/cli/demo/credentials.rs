//! The fleet's credentials: what each slot holds at an instant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seamwatch_exporter::credential::{CredentialState, Kind, Renewal};

const DAY: Duration = Duration::from_secs(86_400);
const HALF_HOUR: u64 = 1_800;

/// The token of Salesforce that the story is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// When it was issued.
    pub issued_at: SystemTime,
    /// When it expires.
    pub expires_at: SystemTime,
}

impl Token {
    /// A token of 90 days that has `left` to live at `now`.
    pub fn near_its_end(now: SystemTime, left: Duration) -> Token {
        let expires_at = now + left;
        Token { issued_at: expires_at.checked_sub(90 * DAY).unwrap_or(UNIX_EPOCH), expires_at }
    }

    /// A token of 90 days that is new at `now`.
    pub fn fresh(now: SystemTime) -> Token {
        Token { issued_at: now, expires_at: now + 90 * DAY }
    }
}

/// The slots of a member at `now`; `started` is when the demo began, `etl` what is in the slot `svc-etl`.
pub fn of(
    member: &str,
    started: SystemTime,
    now: SystemTime,
    etl: Token,
) -> Vec<(&'static str, CredentialState)> {
    match member {
        "stripe-accounting" => vec![
            ("stripe-restricted-key", forever(Kind::ApiKey, "Stripe")),
            ("xero-oauth", renewed_by_itself("Xero", now)),
        ],
        "hubspot-crm" => vec![
            ("hubspot-oauth", renewed_by_itself("HubSpot", now)),
            ("crm-service-account", forever(Kind::Password, "CRM")),
        ],
        "shopify-orders" => vec![(
            "warehouse-api-key",
            by_hand("Warehouse", Token { issued_at: started, expires_at: started + 200 * DAY }),
        )],
        "salesforce-nightly" => vec![("svc-etl", by_hand("Salesforce", etl))],
        "klaviyo-push" => vec![("klaviyo-private-key", forever(Kind::ApiKey, "Klaviyo"))],
        "sheets-export" => vec![("sheets-oauth", renewed_by_itself("Google", now))],
        _ => Vec::new(),
    }
}

fn forever(kind: Kind, provider: &str) -> CredentialState {
    CredentialState {
        kind: Some(kind),
        renewal: Some(Renewal::Manual),
        never_expires: true,
        provider: Some(provider.into()),
        ..CredentialState::default()
    }
}

fn by_hand(provider: &str, token: Token) -> CredentialState {
    CredentialState {
        kind: Some(Kind::ApiKey),
        renewal: Some(Renewal::Manual),
        issued_at: Some(token.issued_at),
        expires_at: Some(token.expires_at),
        owner: Some(("service_account".into(), "svc-etl".into())).filter(|_| provider == "Salesforce"),
        provider: Some(provider.into()),
        ..CredentialState::default()
    }
}

/// An access token of an hour that the integration renews every half hour.
fn renewed_by_itself(provider: &str, now: SystemTime) -> CredentialState {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let issued_at = UNIX_EPOCH + Duration::from_secs(since / HALF_HOUR * HALF_HOUR);
    CredentialState {
        kind: Some(Kind::AccessToken),
        renewal: Some(Renewal::Automatic),
        issued_at: Some(issued_at),
        expires_at: Some(issued_at + Duration::from_secs(2 * HALF_HOUR)),
        provider: Some(provider.into()),
        ..CredentialState::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::FLEET;
    use super::*;

    #[test]
    fn every_credential_that_calls_name_has_a_slot_that_is_not_expired() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_001_799);
        let etl = Token::near_its_end(now, Duration::from_secs(720));
        for member in FLEET {
            let slots = of(member.name, now, now, etl);
            for endpoint in member.endpoints.iter().filter(|endpoint| !endpoint.credential.is_empty()) {
                assert!(slots.iter().any(|(id, _)| *id == endpoint.credential), "{}", endpoint.credential);
            }
            assert!(slots.iter().all(|(_, slot)| slot.never_expires || slot.expires_at > Some(now)));
        }
    }
}
