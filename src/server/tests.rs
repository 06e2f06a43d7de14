use crate::alert::incident::Severity;
use crate::config::{Config, Smtp, Tls};
use crate::rules::Origin;

use super::settings;

#[test]
fn the_runbooks_page_names_the_worst_that_a_rule_can_be() {
    let loaded = Origin::shipped().load().unwrap();
    let view = settings::rules_view(&loaded, 0);
    let worst = |id: &str| view.rules.iter().find(|rule| rule.id == id).unwrap().severity;
    // Its severity is its levels': the rule itself has none.
    assert_eq!(worst("credential-expiry"), Severity::Critical);
    assert_eq!(worst("success-rate-low"), Severity::Critical);
}

// A pool of connections needs a runtime.
#[tokio::test]
async fn half_a_login_is_refused() {
    let relay = |username: Option<&str>, password: Option<&str>| Config {
        smtp: Some(Smtp {
            host: "relay.example".into(),
            port: None,
            tls: Tls::Starttls,
            ca_file: None,
            username: username.map(String::from),
            password_file: None,
            password: password.map(String::from),
        }),
        ..Config::default()
    };
    let said = |config: &Config| super::check(config).map_err(|error| error.to_string());
    assert!(said(&relay(Some("u"), None)).is_err_and(|said| said.contains("no password")));
    assert!(said(&relay(None, Some("p"))).is_err_and(|said| said.contains("no username")));
    assert_eq!(said(&relay(Some("u"), Some("p"))), Ok(()));
    assert_eq!(said(&relay(None, None)), Ok(()));
}
