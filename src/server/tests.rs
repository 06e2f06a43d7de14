use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::access::audit::Actor;
use crate::access::key::NewKey;
use crate::alert::incident::{Incident, Severity};
use crate::config::{Config, Smtp, Tls};
use crate::rules::Origin;
use crate::store::beside;
use crate::world::World;

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

const DAY: i64 = 86_400_000_000_000;

/// Asks again until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_is_mailed_about_like_any_credential_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let (real, ahead) = (World::real(), Arc::new(AtomicI64::new(0)));
    let (clock, shift) = (real.clock.clone(), ahead.clone());
    let world = World { clock: Arc::new(move || clock() + shift.load(Ordering::Relaxed)), ..real };
    let now = (world.clock)();
    let new = NewKey {
        name: "shop-1".into(),
        integration: "shop".parse().unwrap(),
        environment: "production".parse().unwrap(),
        expires_at: Some(now + 5 * DAY),
        rate: None,
        byte_rate: None,
    };
    let by = Actor { name: "console:ada".into(), address: String::new() };
    let catalog = beside::open(folder.path(), &world).await.unwrap();
    // Long enough ago that seven days are not near its end all the time.
    catalog.make_key(&new, &by, now - 85 * DAY).await.unwrap();
    catalog.close().await;

    let mut config = Config::default();
    config.server.data = folder.path().to_owned();
    for port in [&mut config.server.web, &mut config.server.otlp_http, &mut config.server.otlp_grpc] {
        *port = ([127, 0, 0, 1], 0).into();
    }
    let running = super::start(config, Origin::shipped(), world.clone()).await.unwrap();
    let store = running.store.clone();
    let slot = async || {
        let slots = store.states().await.unwrap().slots;
        let ours = slots.iter().find(|(key, _)| &*key.credential == "ingest key shop-1");
        ours.map(|(key, slot)| (key.integration.clone(), slot.clone()))
    };
    let (whose, _) = until("the key as a credential", async || slot().await).await;
    assert_eq!((&*whose.name, &*whose.environment), ("shop", "production"));

    let incident = async |open: bool| {
        let all = store.incidents(false, 10).await.unwrap();
        let ours = |one: &&Incident| &*one.rule == "credential-expiry" && one.resolved_at.is_none() == open;
        all.iter().find(ours).cloned()
    };
    // The minute closes, and late points have come.
    ahead.fetch_add(180_000_000_000, Ordering::Relaxed);
    let fired = until("the incident", async || incident(true).await).await;
    assert_eq!(fired.labels["credential"], "ingest key shop-1");
    let mailed = async || store.mails_of(&fired.id).await.unwrap().into_iter().next();
    let mail = until("the mail", mailed).await;
    assert!(mail.mail.subject.contains("shop-1"), "{}", mail.mail.subject);

    store.revoke_key(1, None, &by, (world.clock)()).await.unwrap();
    until("the credential's end", async || slot().await.filter(|(_, slot)| slot.is_gone(now))).await;
    ahead.fetch_add(180_000_000_000, Ordering::Relaxed);
    until("the end of the incident", async || incident(false).await).await;
    running.stop().await;
}
