//! Logging in at a real provider of identities.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;

use seamwatch::access::oidc::{Identity, Mapping};
use seamwatch::access::role::Role;
use seamwatch::clock;
use seamwatch::oidc::provider::{Error, Provider, Settings};
use seamwatch::outgoing::client::{Client, system, trust};
use seamwatch::outgoing::guard::Policy;
use serde_json::Value;

use crate::support::clients;
use crate::support::home::Home;
use crate::support::person::{self, Person};
use crate::support::server::seamwatch;

const BACK: &str = "https://seam.example/login/oidc/callback";

/// The provider's process.
struct Idp {
    child: Child,
    /// It says more later, and would end if nobody could hear it.
    _said: BufReader<ChildStdout>,
    issuer: String,
}

impl Drop for Idp {
    fn drop(&mut self) {
        // It may have ended already, which is no fault here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Idp {
    fn start() -> Idp {
        let mut command = clients::node("oidc.mjs");
        command.args(["serve", BACK]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("Node can be started");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        said.read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Idp { child, _said: said, issuer: ready["issuer"].as_str().expect("an issuer").to_owned() }
    }

    fn port(&self) -> u16 {
        self.issuer.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    fn provider(&self, client_id: &str, secret: &str, policy: Policy) -> Provider {
        let settings = Settings {
            issuer: self.issuer.clone(),
            client_id: client_id.into(),
            client_secret: Some(secret.into()),
            scopes: vec!["groups".into()],
            redirect_uri: BACK.into(),
            mapping: Mapping {
                groups_claim: "groups".into(),
                operator: vec!["ops".into()],
                ..Mapping::default()
            },
        };
        let client = Client::new(policy, system(), trust(None).expect("a client can be made"));
        Provider::new(settings, client, clock::system())
    }

    fn known(&self) -> Policy {
        let here = ["127.0.0.1".to_owned()];
        Policy::new(&here, &here, &[self.port()]).expect("a policy")
    }
}

/// A browser's way from the address to the return: state and code.
async fn browse(url: String, login: &'static str) -> (String, String) {
    let went = tokio::task::spawn_blocking(move || {
        let mut command = clients::node("oidc.mjs");
        command.args(["browse", &url, login]);
        clients::run(command)
    });
    let back = went.await.expect("the browser comes back");
    let of = |name: &str| back[name].as_str().unwrap_or_else(|| panic!("no {name} in {back}")).to_owned();
    (of("state"), of("code"))
}

async fn login(provider: &Provider, login: &'static str) -> Result<Identity, Error> {
    let (url, pending) = provider.start().await?;
    let (state, code) = browse(url, login).await;
    provider.finish(pending, &state, &code).await
}

#[tokio::test]
async fn people_log_in_at_a_certified_provider_and_their_groups_give_the_role() {
    let idp = Idp::start();
    for client in ["rs", "es"] {
        let provider = Arc::new(idp.provider(client, "s:e%cret", idp.known()));
        let ada = login(&provider, "ada").await.unwrap_or_else(|error| panic!("{client}: {error}"));
        assert_eq!((ada.issuer.as_str(), ada.subject.as_str()), (idp.issuer.as_str(), "ada"));
        assert_eq!((ada.role, ada.name.as_str()), (Role::Operator, "ada of the test"));
        assert_eq!(
            (ada.email.as_deref(), ada.groups),
            (Some("ada@example.com"), vec!["ops".into(), "staff".into()])
        );
        let eve = login(&provider, "eve").await;
        assert!(matches!(&eve, Err(Error::Refused(_))), "{eve:?}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_for_the_login_that_it_was_given_to() {
    let idp = Idp::start();
    let provider = idp.provider("rs", "s:e%cret", idp.known());
    let (url, pending) = provider.start().await.expect("a login begins");
    let (state, code) = browse(url, "ada").await;
    // Another's code brought into a login of one's own: PKCE ties it to the login that it was given to.
    let stolen = try_in_a_new_login(&provider, &code).await;
    assert!(matches!(&stolen, Err(Error::Login(said)) if said.contains("used already")), "{stolen:?}");
    let ada = provider.finish(pending, &state, &code).await.expect("it is good for its own");
    assert_eq!(ada.subject, "ada");
    let again = try_in_a_new_login(&provider, &code).await;
    assert!(matches!(&again, Err(Error::Login(said)) if said.contains("used already")), "{again:?}");
}

async fn try_in_a_new_login(provider: &Provider, code: &str) -> Result<Identity, Error> {
    let (url, pending) = provider.start().await?;
    let state =
        url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    provider.finish(pending, &state, code).await
}

#[tokio::test]
async fn a_wrong_secret_and_a_provider_inside_are_told_to_who_runs_the_server() {
    let idp = Idp::start();
    let wrong = login(&idp.provider("rs", "wrong", idp.known()), "ada").await;
    assert!(
        matches!(&wrong, Err(Error::Provider(said)) if said.contains("client_id and client_secret_file")),
        "{wrong:?}"
    );
    let here = ["127.0.0.1".to_owned()];
    let guarded = Policy::new(&[], &here, &[idp.port()]).expect("a policy");
    let refused = idp.provider("rs", "s:e%cret", guarded).start().await;
    assert!(
        matches!(&refused, Err(Error::Provider(said)) if said.contains("[outgoing] allow")),
        "{refused:?}"
    );
}

#[test]
fn the_pages_sign_in_who_comes_back_from_the_provider_and_nobody_else() {
    let idp = Idp::start();
    let home = Home::new();
    std::fs::write(home.path().join("secret"), "s:e%cret\n").expect("a file can be written");
    home.configure(&format!(
        "[server]\npublic_url = \"https://seam.example\"\n[oidc]\nissuer = \"{}\"\nclient_id = \"rs\"\n\
         client_secret_file = \"secret\"\nscopes = [\"groups\"]\noperator_groups = [\"ops\"]\n\
         [outgoing]\nallow = [\"127.0.0.1\"]\nin_the_clear = [\"127.0.0.1\"]\nports = [{}]\n",
        idp.issuer,
        idp.port()
    ));
    let server = home.start();
    assert_eq!(
        server.get("/").header("location"),
        "/login",
        "people are known elsewhere, so the door is closed"
    );
    assert!(server.get("/login").text().contains("Sign in with single sign-on"));
    // A login as far as the provider, and the address that it leads back to.
    let begin = |login: &'static str| {
        let begun = server.get("/login/oidc?next=%2Fincidents");
        assert_eq!(begun.status, 303, "{}", begun.text());
        let ticket = begun.header("set-cookie").split(';').next().unwrap_or("").to_owned();
        assert!(ticket.starts_with("__Host-seamwatch-login="), "{ticket}");
        let mut command = clients::node("oidc.mjs");
        command.args(["browse", begun.header("location"), login]);
        let back = clients::run(command);
        let of = |name: &str| back[name].as_str().expect("it comes back").to_owned();
        (ticket, format!("/login/oidc/callback?state={}&code={}", of("state"), of("code")))
    };
    let come_back = |ticket: &str, path: &str| server.ask("GET", path, &[("cookie", ticket)], String::new());
    let (ticket, back) = begin("ada");
    assert_eq!(come_back("", &back).status, 403, "another browser's login");
    let ada = come_back(&ticket, &back);
    assert_eq!((ada.status, ada.header("location")), (303, "/incidents"), "{}", ada.text());
    let page = Person::of(&ada).get(&server, "/account").text();
    assert!(
        page.contains("ada@example.com") && page.contains("operator") && page.contains(&idp.issuer),
        "{page}"
    );
    assert_eq!(come_back(&ticket, &back).status, 403, "once");
    let (ticket, back) = begin("ada");
    assert_eq!(come_back(&ticket, &back).status, 303);
    let (_, listed) = person::users(&home, &["list"], "");
    assert_eq!(listed.lines().count(), 1, "the same person is the same user: {listed}");
    let log = seamwatch().arg("audit").arg("--data").arg(home.data()).output().expect("it runs");
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    let made = log.lines().find(|line| line.contains("user.made")).unwrap_or_else(|| panic!("{log}"));
    assert_eq!(
        made.matches("ada@example.com").count(),
        2,
        "who did it is named as here, not as there: {made}"
    );
    let (ticket, back) = begin("eve");
    assert_eq!(come_back(&ticket, &back).status, 403, "of no group");
    assert!(person::users(&home, &["disable", "ada@example.com"], "").0);
    let (ticket, back) = begin("ada");
    let shut_out = come_back(&ticket, &back);
    assert!(
        shut_out.status == 403 && !shut_out.header("set-cookie").contains("sw_ses_"),
        "{}",
        shut_out.text()
    );
}
