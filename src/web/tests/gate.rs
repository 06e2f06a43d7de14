//! Every route by everybody, and what a change of what somebody may do ends.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use tower::ServiceExt;

use super::face::{Server, server};
use super::sample::NOW;
use crate::access::audit::Actor;
use crate::access::person::{Change, NewUser, Session, Token, User};
use crate::access::role::Role;
use crate::access::secret::{Hash, Kind, Secret};
use crate::access::session::ABSOLUTE;
use crate::store::catalog::sqlite::people::People;
use crate::web::gate::access::Proxies;
use crate::web::gate::{Kind as Asks, ROUTES, Route, cookie, markdown};
use crate::web::router;

fn by() -> Actor {
    Actor { name: "console".into(), address: String::new() }
}

async fn user(people: &People, name: &str, role: Role) -> User {
    let (name, display) = (name.to_owned(), name.to_owned());
    let new = NewUser { name, display, role, password: None, vouched: None };
    people.add_user(&new, &by(), Role::Admin, NOW).await.unwrap()
}

async fn signed_in(people: &People, id: i64) -> Secret {
    let user = people.user(id).await.unwrap().unwrap();
    let secret = Secret::mint(Kind::Session).unwrap();
    let session = Session {
        hash: secret.hash(),
        user: id,
        made_at: NOW,
        seen_at: NOW,
        ends_at: NOW + ABSOLUTE,
        address: String::new(),
        agent: String::new(),
    };
    let entry = by().did(NOW, "login.ok", user.name, String::new());
    people.open_session(&session, user.version, None, &entry).await.unwrap();
    secret
}

async fn token(people: &People, user: i64, role: Role) -> Secret {
    let secret = Secret::mint(Kind::ApiToken).unwrap();
    let token = Token {
        id: 0,
        user,
        name: "t".into(),
        tail: secret.tail().into(),
        role,
        made_at: NOW,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let entry = by().did(NOW, "token.made", "t".into(), String::new());
    let edition = people.user(user).await.unwrap().unwrap().version;
    people.add_token(&token, edition, &secret.hash(), &entry).await.unwrap();
    secret
}

/// How a request shows who asks.
#[derive(Clone)]
enum Shows {
    Nothing,
    Cookie(Secret),
    Token(Secret),
}

fn hex(hash: Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn ask(server: &Server, method: Method, path: &str, shows: &Shows, fields: &str) -> Response {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:4380");
    request = request.header("origin", "http://localhost:4380");
    let mut body = fields.to_owned();
    match shows {
        Shows::Nothing => {}
        Shows::Cookie(secret) => {
            request = request.header("cookie", format!("{}={}", cookie::NAME, secret.reveal()));
            body += &format!("&token={}", server.state.access.signer.form_token(&hex(secret.hash())));
        }
        Shows::Token(secret) => {
            request = request.header("authorization", format!("Bearer {}", secret.reveal()))
        }
    }
    request = request.header("content-type", "application/x-www-form-urlencoded");
    router(server.state.clone()).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
}

/// Whether the gate said no: 401, 403, or the way to the login.
fn is_refused(response: &Response) -> bool {
    let to_login =
        response.headers().get(header::LOCATION).is_some_and(|to| to.to_str().unwrap().starts_with("/login"));
    // Signing out leads there too, and takes the cookie away.
    let signs_out = response.headers().contains_key(header::SET_COOKIE);
    matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || (to_login && !signs_out)
}

fn path(route: &Route) -> String {
    route
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_opens_to_whom_the_table_says_and_to_nobody_else() {
    let server = server().await;
    let people = server.state.store.people();
    let mut ids = Vec::new();
    // Another admin, so that what one of them does to the other is allowed.
    for (name, role) in
        [("root", Role::Admin), ("vera", Role::Viewer), ("otto", Role::Operator), ("ada", Role::Admin)]
    {
        ids.push((name, user(&people, name, role).await.id, role));
    }
    let viewers_token = token(&people, ids[1].1, Role::Viewer).await;
    let admins_token = token(&people, ids[3].1, Role::Admin).await;
    for route in ROUTES {
        let mut asking = vec![
            ("nobody", Shows::Nothing, None),
            ("a foreign cookie", Shows::Cookie(Secret::mint(Kind::Session).unwrap()), None),
            ("a foreign token", Shows::Token(Secret::mint(Kind::ApiToken).unwrap()), None),
            ("a viewer's token", Shows::Token(viewers_token.clone()), Some(Role::Viewer)),
            ("an admin's token", Shows::Token(admins_token.clone()), Some(Role::Admin)),
        ];
        for (name, id, role) in ids.iter().skip(1) {
            asking.push((name, Shows::Cookie(signed_in(&people, *id).await), Some(*role)));
        }
        for (who, shows, role) in asking {
            let response = ask(&server, route.method(), &path(route), &shows, "").await;
            let of_person = matches!(route.kind, Asks::Page | Asks::Form);
            let is_token = matches!(shows, Shows::Token(_));
            let opens = match (route.least, role) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(least), Some(role)) => role >= least && !(of_person && is_token),
            };
            let what = format!("{} {} by {who}: {}", route.method(), route.path, response.status());
            assert_eq!(!is_refused(&response), opens, "{what}");
            assert_ne!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{what}");
            assert!(opens || role.is_some() || !response.status().is_success(), "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_does_not_exist() {
    let server = server().await;
    let people = server.state.store.people();
    let admin = user(&people, "ada", Role::Admin).await.id;
    let admin = Shows::Cookie(signed_in(&people, admin).await);
    for path in
        ["/admin", "/debug", "/api/v1/users", "/badge", "/static", "/metrics/x", "/api", "/config", "/.env"]
    {
        assert_eq!(
            ask(&server, Method::GET, path, &admin, "").await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let mut seen: Vec<(Method, &str)> = ROUTES.iter().map(|route| (route.method(), route.path)).collect();
    seen.sort_by_key(|(method, path)| (path.to_string(), method.to_string()));
    seen.dedup();
    assert_eq!(seen.len(), ROUTES.len(), "a route is there once");
}

#[tokio::test]
async fn the_public_surface_is_this() {
    let open = ROUTES.iter().filter(|route| route.least.is_none());
    let open: Vec<String> = open.map(|route| format!("{} {}", route.method(), route.path)).collect();
    let expected = [
        "GET /login",
        "POST /login",
        "GET /login/oidc",
        "GET /login/oidc/callback",
        "GET /setup",
        "POST /setup",
        "GET /a/{token}",
        "POST /a/{token}",
        "GET /a/mail/{token}",
        "POST /a/mail/{token}",
        "GET /healthz",
        "GET /readyz",
        "GET /static/{hash}/{name}",
        "GET /favicon.ico",
    ];
    assert_eq!(open, expected);
}

#[test]
fn every_question_to_the_api_is_in_its_document_and_nothing_else_is() {
    let document: serde_json::Value = serde_json::from_str(crate::web::api::document::TEXT).unwrap();
    let said = document["paths"].as_object().unwrap().iter().flat_map(|(path, ways)| {
        ways.as_object().unwrap().keys().map(move |way| format!("{} {path}", way.to_uppercase()))
    });
    let api = ROUTES.iter().filter(|route| route.kind.is_api());
    let api: std::collections::BTreeSet<String> =
        api.map(|route| format!("{} {}", route.method(), route.path)).collect();
    assert_eq!(said.collect::<std::collections::BTreeSet<_>>(), api);
}

#[test]
fn the_table_stands_in_the_documentation() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md")).unwrap();
    assert!(text.contains(&markdown()), "docs/security.md is to hold this table:\n\n{}", markdown());
}

#[tokio::test]
async fn cve_2026_32230_no_figures_without_a_login() {
    let server = server().await;
    assert_eq!(server.get("/metrics").await.0, StatusCode::OK, "open to this machine");
    user(&server.state.store.people(), "ada", Role::Admin).await;
    for path in ["/metrics", "/live", "/api/v1/system", "/api/v1/integrations"] {
        let (status, headers, body) = server.get(path).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            (&headers["content-type"], &headers["www-authenticate"]),
            (&"application/problem+json".parse().unwrap(), &"Bearer".parse().unwrap())
        );
        assert!(!body.contains("accepted"), "{path}: {body}");
    }
}

#[tokio::test]
async fn the_first_user_or_key_closes_the_door() {
    let server = server().await;
    let (_, _, page) = server.get("/").await;
    assert!(page.contains("Open to everyone on this machine"), "{page}");
    assert!(!page.contains("/people"), "admins alone see it");
    assert_eq!(
        server.get("/people").await.0,
        StatusCode::FORBIDDEN,
        "who may come in is no stranger's to say"
    );
    user(&server.state.store.people(), "ada", Role::Viewer).await;
    let (status, headers, _) = server.get("/integrations/a%20b?range=1h").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/login?next=%2Fintegrations%2Fa%2520b%3Frange%3D1h")
    );
}

#[tokio::test]
async fn cve_2023_49805_another_site_changes_nothing() {
    let server = server().await;
    let people = server.state.store.people();
    let admin = user(&people, "ada", Role::Admin).await.id;
    let session = signed_in(&people, admin).await;
    let form = server.state.access.signer.form_token(&hex(session.hash()));
    let send = async |origin: Option<&str>, site: Option<&str>, token: &str| {
        let mut request =
            Request::builder().method(Method::POST).uri("/people").header("host", "localhost:4380");
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request
            .header("cookie", format!("{}={}", cookie::NAME, session.reveal()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("name=eve&display=&role=admin&token={token}")));
        router(server.state.clone()).oneshot(request.unwrap()).await.unwrap().status()
    };
    for (origin, site) in [
        (Some("https://evil.example"), None),
        (Some("https://evil.example"), Some("cross-site")),
        (Some("http://localhost:4381"), Some("same-site")),
        (Some("null"), None),
        (None, Some("cross-site")),
        (None, None),
    ] {
        assert_eq!(send(origin, site, &form).await, StatusCode::FORBIDDEN, "{origin:?} {site:?}");
    }
    let ours = (Some("http://localhost:4380"), Some("same-origin"));
    assert_eq!(send(ours.0, ours.1, "").await, StatusCode::FORBIDDEN, "without its form's token");
    let other = server.state.access.signer.form_token("another session");
    assert_eq!(send(ours.0, ours.1, &other).await, StatusCode::FORBIDDEN, "with another's");
    assert_eq!(people.users().await.unwrap().len(), 1);
    assert_eq!(send(ours.0, ours.1, &form).await, StatusCode::OK);
    assert_eq!(people.users().await.unwrap().len(), 2);
}

#[tokio::test]
async fn cve_2024_24830_nobody_makes_or_becomes_more_than_they_are() {
    let server = server().await;
    let people = server.state.store.people();
    user(&people, "root", Role::Admin).await;
    let otto = user(&people, "otto", Role::Operator).await;
    let session = Shows::Cookie(signed_in(&people, otto.id).await);
    for (path, fields) in [
        ("/people".to_owned(), "name=eve&display=&role=admin"),
        (format!("/people/{}", otto.id), "do=role&role=admin"),
    ] {
        assert_eq!(ask(&server, Method::POST, &path, &session, fields).await.status(), StatusCode::FORBIDDEN);
    }
    // The field is checked too, not the route alone.
    let new =
        NewUser { name: "eve".into(), display: "".into(), role: Role::Admin, password: None, vouched: None };
    assert!(people.add_user(&new, &by(), Role::Operator, NOW).await.is_err());
    assert!(
        people
            .change_user(otto.id, None, &Change::Role(Role::Admin), &by(), Role::Operator, NOW)
            .await
            .is_err()
    );
    let more = ask(&server, Method::POST, "/account/tokens", &session, "name=t&role=admin&days=30").await;
    assert_eq!(more.status(), StatusCode::CONFLICT, "nor has a token that may do more");
    assert!(people.tokens_of(otto.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn cve_2023_44400_a_change_ends_sessions_and_their_streams() {
    for change in [Change::Password("x".into()), Change::Role(Role::Operator), Change::Disabled] {
        let server = server().await;
        let people = server.state.store.people();
        user(&people, "root", Role::Admin).await;
        let vera = user(&people, "vera", Role::Viewer).await;
        let session = Shows::Cookie(signed_in(&people, vera.id).await);
        let response = ask(&server, Method::GET, "/live", &session, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut events = response.into_body().into_data_stream();
        assert!(events.next().await.is_some());
        people.change_user(vera.id, None, &change, &by(), Role::Admin, NOW).await.unwrap();
        server.people.send(people.access().await.unwrap().version).unwrap();
        let end = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
        assert!(matches!(end, Ok(None)), "{change:?}: the stream ends");
        assert!(
            is_refused(&ask(&server, Method::GET, "/", &session, "").await),
            "{change:?}: the session ends"
        );
    }
}

#[tokio::test]
async fn cve_2023_49804_a_changed_password_leaves_no_other_browser_signed_in() {
    let server = server().await;
    let people = server.state.store.people();
    let hash = server.state.access.passwords.hash("first of all words").await.unwrap();
    let (name, display) = ("ada".to_owned(), "Ada".to_owned());
    let new = NewUser { name, display, role: Role::Admin, password: Some(hash), vouched: None };
    let ada = people.add_user(&new, &by(), Role::Admin, NOW).await.unwrap();
    let (here, there) = (signed_in(&people, ada.id).await, signed_in(&people, ada.id).await);
    let here = Shows::Cookie(here);
    let wrong = "current=not+the+first+one&password=second+of+all+words";
    let response = ask(&server, Method::POST, "/account/password", &here, wrong).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let right = "current=first+of+all+words&password=second+of+all+words";
    let response = ask(&server, Method::POST, "/account/password", &here, right).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let fresh = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let fresh = fresh.split(['=', ';']).nth(1).and_then(Secret::read).unwrap().1;
    assert!(
        !is_refused(&ask(&server, Method::GET, "/", &Shows::Cookie(fresh), "").await),
        "this browser stays, anew"
    );
    for old in [here, Shows::Cookie(there)] {
        assert!(is_refused(&ask(&server, Method::GET, "/", &old, "").await));
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_people_and_nobody_else_does() {
    let mut server = server().await;
    let proxies = |network: &str| Proxies {
        networks: vec![network.parse().unwrap()],
        user_header: Some("x-forwarded-user".into()),
        groups_header: Some("x-forwarded-groups".into()),
        groups: vec![("root".into(), Role::Admin)],
        otherwise: None,
    };
    let get = async |server: &Server, path: &str, groups: &str| {
        let request = Request::builder()
            .uri(path)
            .header("x-forwarded-user", "ada")
            .header("x-forwarded-groups", groups);
        router(server.state.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let behind = |server: &mut Server, network: &str| {
        let access = Arc::get_mut(&mut server.state.access).expect("nobody else has it");
        access.proxies = proxies(network);
        access.may_be_open = false;
    };
    behind(&mut server, "127.0.0.0/8");
    let page = get(&server, "/people", "dev,root").await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = to_bytes(page.into_body(), 1_000_000).await.unwrap();
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("<b>ada</b>") && !page.contains("Sign out"), "{page}");
    assert!(is_refused(&get(&server, "/", "dev").await), "no group, no role");
    behind(&mut server, "10.0.0.0/8");
    assert!(is_refused(&get(&server, "/", "root").await), "not from a proxy of ours");
}

#[tokio::test]
async fn an_api_token_opens_no_more_than_its_owner_may_now() {
    let server = server().await;
    let people = server.state.store.people();
    user(&people, "root", Role::Admin).await;
    let ada = user(&people, "ada", Role::Admin).await;
    let secret = token(&people, ada.id, Role::Admin).await;
    let shows = Shows::Token(secret);
    assert_eq!(ask(&server, Method::GET, "/api/v1/system", &shows, "").await.status(), StatusCode::OK);
    let id = people.tokens_of(ada.id).await.unwrap()[0].id;
    let entry = by().did(NOW, "token.revoked", "t".into(), String::new());
    assert!(people.revoke_token(ada.id, id, &entry).await.unwrap());
    assert_eq!(
        ask(&server, Method::GET, "/api/v1/system", &shows, "").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn what_ends_sessions_ends_api_tokens() {
    let server = server().await;
    let people = server.state.store.people();
    user(&people, "root", Role::Admin).await;
    let vera = user(&people, "vera", Role::Viewer).await;
    let other = user(&people, "otto", Role::Viewer).await;
    let others = Shows::Token(token(&people, other.id, Role::Viewer).await);
    let opens = async |shows: &Shows| {
        ask(&server, Method::GET, "/api/v1/system", shows, "").await.status() == StatusCode::OK
    };
    for change in [
        Change::Password("x".into()),
        Change::PasswordByLink("x".into()),
        Change::Role(Role::Operator),
        Change::Role(Role::Viewer),
        Change::Disabled,
    ] {
        let edition = people.user(vera.id).await.unwrap().unwrap().version;
        let held = Shows::Token(token(&people, vera.id, Role::Viewer).await);
        token(&people, vera.id, Role::Viewer).await;
        assert!(opens(&held).await, "{change:?}");
        people.change_user(vera.id, None, &change, &by(), Role::Admin, NOW).await.unwrap();
        assert!(!opens(&held).await, "{change:?}: the token ends");
        let told = server.state.store.audit_latest("", 1).await.unwrap().remove(0).entry;
        assert!(told.detail.contains("2 API tokens have ended."), "{change:?}: {told:?}");
        // Whoever was about to make another with a session that has ended.
        let secret = Secret::mint(Kind::ApiToken).unwrap();
        let late = Token {
            id: 0,
            user: vera.id,
            name: "late".into(),
            tail: secret.tail().into(),
            role: Role::Viewer,
            made_at: NOW,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        assert!(people.add_token(&late, edition, &secret.hash(), &told).await.is_err(), "{change:?}");
        if matches!(change, Change::Disabled) {
            people.change_user(vera.id, None, &Change::Enabled, &by(), Role::Admin, NOW).await.unwrap();
            assert!(!opens(&held).await, "who may come in again makes new ones");
        }
    }
    assert!(opens(&others).await, "others keep theirs");
}

#[tokio::test]
async fn the_last_admin_stays_one() {
    let server = server().await;
    let people = server.state.store.people();
    let ada = user(&people, "ada", Role::Admin).await;
    user(&people, "vera", Role::Viewer).await;
    for change in [Change::Disabled, Change::Role(Role::Viewer)] {
        let said = people.change_user(ada.id, None, &change, &by(), Role::Admin, NOW).await.unwrap_err();
        assert!(said.to_string().contains("last admin"), "{said}");
    }
}
