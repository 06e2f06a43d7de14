//! The router over an empty store: routes, headers, the API's names and its errors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::sample::{NOW, key};
use crate::access::link::Signer;
use crate::access::password::Passwords;
use crate::decode::Batch;
use crate::signals::observation::{IntegrationInfo, Observations};
use crate::store::{Settings as StoreSettings, Store};
use crate::web::gate::access::{Access, Proxies};
use crate::web::{MailInfo, RulesView, Settings, State, router};
use crate::world::World;

pub struct Server {
    pub state: State,
    /// Says that somebody may do less or more.
    pub people: watch::Sender<i64>,
    _folder: tempfile::TempDir,
    _rules: watch::Sender<Arc<RulesView>>,
    tick: watch::Sender<u64>,
}

pub async fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreSettings::new(folder.path()), &World::real()).await.unwrap();
    let runbooks = [("success-rate-low".to_owned(), "# What to do".to_owned())].into();
    let (rules_sender, rules) = watch::channel(Arc::new(RulesView { runbooks, ..RulesView::default() }));
    let (people, changes) = watch::channel(0);
    let (tick, live) = watch::channel(0);
    let counters =
        || vec![("accepted_spans".to_owned(), 7), ("refused_full".to_owned(), 2), ("lag_ms".to_owned(), 9)];
    let state = State {
        classified: Arc::default(),
        store,
        clock: Arc::new(|| NOW),
        rules,
        counters: Arc::new(counters),
        troubles: Arc::new(Vec::new),
        live,
        stop: CancellationToken::new(),
        mail: MailInfo {
            transport: "file".into(),
            folder: Some("mail".into()),
            from: "seamwatch@example.com".into(),
        },
        oidc: None,
        looked_at: Arc::new(|_, _, _, _| Vec::new()),
        access: Arc::new(Access {
            passwords: Passwords::default(),
            throttle: Mutex::default(),
            signer: Signer::new(&[7; 32]),
            may_be_open: true,
            proxies: Proxies::default(),
            changes,
        }),
        settings: Arc::new(Settings::default()),
    };
    Server { people, state, _folder: folder, _rules: rules_sender, tick }
}

impl Server {
    pub async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router(self.state.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000_000).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn json(&self, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.get(path).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn every_page_answers_with_the_policy() {
    let server = server().await;
    for path in [
        "/",
        "/incidents",
        "/incidents?state=open",
        "/runbooks",
        "/runbooks/success-rate-low",
        "/mail",
        "/system",
    ] {
        let (status, headers, body) = server.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'")
                && policy.contains("frame-ancestors 'none'")
        );
        assert_eq!(
            (&headers["x-content-type-options"], &headers["referrer-policy"]),
            (&"nosniff".parse().unwrap(), &"same-origin".parse().unwrap())
        );
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert!(headers["permissions-policy"].to_str().unwrap().contains("camera=()"));
        assert!(
            !headers.keys().any(|name| name.as_str().starts_with("access-control-")),
            "no other site reads"
        );
        assert!(body.contains("<main"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_a_sentence() {
    let server = server().await;
    for (path, words) in [
        ("/nowhere", "There is no page at /nowhere"),
        ("/integrations/a%2Fb", "No integration is named a/b"),
        ("/incidents/ZZZZ", "No incident has the code ZZZZ"),
        ("/runbooks/..%2f..%2fetc%2fpasswd", "No runbook is named"),
        ("/mail/5", "There is no such mail"),
        ("/mail/5/html", "There is no such mail"),
    ] {
        let (status, headers, body) = server.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(body.contains(words), "{path}: {body}");
        assert!(headers.contains_key("content-security-policy"));
    }
    for path in ["/incidents?state=odd", "/integrations/a?from=yesterday", "/integrations/a?range=1y"] {
        assert_eq!(server.get(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let post = Request::builder().method(Method::POST).uri("/").body(Body::empty()).unwrap();
    let answer = router(server.state.clone()).oneshot(post).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap())
    );
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_their_hash_only() {
    let server = server().await;
    let (_, _, page) = server.get("/").await;
    let links: Vec<&str> = page.split('"').filter(|text| text.starts_with("/static/")).collect();
    assert!(links.len() >= 5, "{links:?}");
    for link in links {
        let (status, headers, _) = server.get(link).await;
        assert_eq!(status, StatusCode::OK, "{link}");
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    }
    let (status, headers, _) = server.get("/static/0/base.css").await;
    assert_eq!((status, headers["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-cache"));
    assert_eq!(server.get("/static/0/..%2fCargo.toml").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_api_answers_problems_as_problem_json() {
    let server = server().await;
    for (path, status) in [
        ("/api/v1/integrations?window=soon", 400),
        ("/api/v1/integrations/nobody/endpoints", 404),
        ("/api/v1/integrations/nobody/endpoints?from=tomorrow", 400),
        ("/api/v1/traces/xyz", 400),
        ("/api/v1/traces?limit=0", 400),
        ("/api/v1/traces?limit=many", 400),
        ("/api/v1/traces?min_ms=long", 400),
        ("/api/v1/logs?limit=1&limit=2", 400),
        ("/api/v1/integrations/%ff/endpoints", 400),
        ("/api/v1/traces?status=odd", 400),
        ("/api/v1/logs?from=5&to=4", 400),
        ("/api/v1/incidents?state=odd", 400),
        ("/api/v1/nothing", 404),
    ] {
        let (code, headers, body) = server.get(path).await;
        assert_eq!(code.as_u16(), status, "{path}: {body}");
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_told_in_our_words() {
    let server = server().await;
    for (path, words) in [
        ("/api/v1/traces?limit=abc", "`limit` is a whole number from 1 to 1000."),
        ("/api/v1/incidents?limit=-1", "`limit` is a whole number from 1 to 1000."),
        ("/api/v1/traces?min_ms=abc", "`min_ms` is a number of milliseconds."),
        ("/integrations/%ff", "not UTF-8 once percent-decoded"),
        ("/incidents?state=open&state=all", "Give each parameter once"),
    ] {
        let (status, _, body) = server.get(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(body.contains(words), "{path}: {body}");
    }
}

#[tokio::test]
async fn an_empty_parameter_is_none() {
    let server = server().await;
    let info = IntegrationInfo {
        key: key("shop"),
        source: String::new(),
        destination: String::new(),
        owner: String::new(),
        tier: String::new(),
        version: String::new(),
    };
    let observations = Observations { integrations: vec![info], ..Observations::default() };
    server.state.store.absorb(1, Batch { received_at: NOW, observations, ..Batch::default() });
    for path in ["/api/v1/integrations?window=&environment=", "/api/v1/integrations?environment=production"] {
        let (status, body) = server.json(path).await;
        assert_eq!((status, &body["items"][0]["name"]), (StatusCode::OK, &"shop".into()), "{path}");
    }
    for path in ["/?environment=", "/integrations/shop?environment=&range=&from=&to="] {
        let (status, _, body) = server.get(path).await;
        assert!(status == StatusCode::OK && body.contains("shop"), "{path}: {body}");
    }
    let (_, _, body) = server.get("/?environment=zzz").await;
    assert!(body.contains("No integration is in environment zzz."), "{body}");
}

#[tokio::test]
async fn the_api_is_only_read() {
    let server = server().await;
    for (method, path) in [(Method::POST, "/api/v1/integrations"), (Method::DELETE, "/api/v1/system")] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = router(server.state.clone()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD", "{path}");
    }
}

#[tokio::test]
async fn a_site_that_resolves_to_this_machine_reads_nothing() {
    let mut server = server().await;
    server.state.settings = Arc::new(Settings { public_host: "seam.example".into(), ..Settings::default() });
    for (host, status) in [
        ("localhost:4380", StatusCode::OK),
        ("127.0.0.1:4380", StatusCode::OK),
        ("[::1]:4380", StatusCode::OK),
        ("seam.example", StatusCode::OK),
        ("evil.com", StatusCode::MISDIRECTED_REQUEST),
        ("evil.com:4380", StatusCode::MISDIRECTED_REQUEST),
        ("localhost.evil.com", StatusCode::MISDIRECTED_REQUEST),
    ] {
        for path in ["/", "/api/v1/integrations", "/live", "/metrics"] {
            let request = Request::builder().uri(path).header("host", host).body(Body::empty()).unwrap();
            let answer = router(server.state.clone()).oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn an_empty_server_answers_every_question() {
    let server = server().await;
    for path in
        ["integrations", "integrations?window=2h&environment=x", "traces", "logs?q=a", "incidents?state=open"]
    {
        let (status, body) = server.json(&format!("/api/v1/{path}")).await;
        assert_eq!((status, &body["items"]), (StatusCode::OK, &Value::Array(Vec::new())), "{path}");
    }
    let (_, system) = server.json("/api/v1/system").await;
    assert_eq!((&system["accepted"]["spans"], &system["refused"]["full"]), (&7.into(), &2.into()));
    assert_eq!(
        (&system["lag_ms"], &system["late"]),
        (&9.into(), &Value::Null),
        "what is not counted is null"
    );
}

#[tokio::test]
async fn machines_are_told() {
    let server = server().await;
    assert_eq!(server.get("/healthz").await.0, StatusCode::OK);
    assert_eq!(server.get("/readyz").await.0, StatusCode::OK);
    let (_, headers, text) = server.get("/metrics").await;
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(text.contains("seamwatch_accepted_spans_total 7"));
    // Everybody may ask whether it is ready, and nobody learns by that what lies where.
    let mut server = server;
    server.state.troubles = Arc::new(|| {
        vec![crate::web::Trouble { since: 0, refuses: true, sentence: "/var/lib/seamwatch is full.".into() }]
    });
    let (status, _, text) = server.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("System page") && !text.contains("/var"), "{text}");
    server.state.stop.cancel();
    assert_eq!(server.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_stream_tells_of_changes_and_ends_with_the_server() {
    let server = server().await;
    let request = Request::builder().uri("/live").body(Body::empty()).unwrap();
    let response = router(server.state.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    let first = events.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("data: 0"));
    server.tick.send(5).unwrap();
    let second = events.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&second).contains("event: change\ndata: 5"));
    server.state.stop.cancel();
    let end = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert!(matches!(end, Ok(None)), "the stream ends");
}
