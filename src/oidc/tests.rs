//! Logins at a provider that says what a test wants it to.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::keys::Keys;
use super::provider::{Error, Pending, Provider, Settings};
use super::token::Unverified;
use super::waiting::Waiting;
use crate::access::oidc::{Identity, Mapping};
use crate::access::role::Role;
use crate::outgoing::client::{Client, system, trust};
use crate::outgoing::guard::Policy;

const NOW: i64 = 1_800_000_000;
const CLIENT: &str = "seam watch";
const HOME: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A key of the provider's.
struct Signer {
    id: &'static str,
    key: EcdsaKeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Signer {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap();
        Signer { id, key }
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": text(&point[1..33]), "y": text(&point[33..])})
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    fn sign_as(&self, head: &Value, claims: &Value) -> String {
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", text(head), text(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What the provider answers, by path.
type Answers = Arc<Mutex<Vec<(String, u16, String)>>>;

struct Idp {
    issuer: String,
    answers: Answers,
    /// Heads and bodies of what it was asked.
    asked: Arc<Mutex<Vec<String>>>,
    provider: Provider,
    now: Arc<AtomicI64>,
}

impl Idp {
    async fn new() -> Idp {
        Idp::with(|settings| settings.mapping.groups_claim = "groups".into()).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Idp {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = format!("http://127.0.0.1:{port}");
        let (answers, asked): (Answers, Arc<Mutex<Vec<String>>>) = Default::default();
        let (all, heard) = (answers.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                let path = request.split(' ').nth(1).unwrap().to_owned();
                heard.lock().unwrap().push(request);
                let found = all.lock().unwrap().iter().find(|(known, ..)| *known == path).cloned();
                let (_, status, body) = found.unwrap_or((path, 404, String::new()));
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        let mut settings = Settings {
            issuer: issuer.clone(),
            client_id: CLIENT.into(),
            client_secret: Some("p:w%rd".into()),
            scopes: vec!["groups".into()],
            redirect_uri: "https://seam.example/login/oidc/callback".into(),
            mapping: Mapping { operator: vec!["ops".into()], ..Mapping::default() },
        };
        change(&mut settings);
        let here = ["127.0.0.1".to_owned()];
        let policy = Policy::new(&here, &here, &[port]).unwrap();
        let client = Client::new(policy, system(), trust(None).unwrap());
        let now = Arc::new(AtomicI64::new(NOW * 1_000_000_000));
        let clock = now.clone();
        let provider = Provider::new(settings, client, Arc::new(move || clock.load(Ordering::Relaxed)));
        let idp = Idp { issuer, answers, asked, provider, now };
        idp.answer("/.well-known/openid-configuration", 200, idp.document());
        idp
    }

    fn document(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer, "authorization_endpoint": at("/auth?tenant=1"), "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"), "userinfo_endpoint": at("/me"),
        })
    }

    fn answer(&self, path: &str, status: u16, body: Value) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, ..)| known != path);
        answers.push((path.to_owned(), status, body.to_string()));
    }

    fn keys(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.answer("/keys", 200, json!({"keys": keys}));
    }

    fn claims(&self, nonce: &str) -> Value {
        json!({
            "iss": self.issuer, "sub": "7", "aud": CLIENT, "nonce": nonce, "exp": NOW + 300, "iat": NOW,
            "groups": ["ops"],
        })
    }

    fn give(&self, token: &str) {
        self.answer("/token", 200, json!({"id_token": token, "access_token": "at", "token_type": "Bearer"}));
    }

    fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.split(' ').nth(1) == Some(path)).count()
    }

    async fn begin(&self) -> (Pending, String, String) {
        let (url, pending) = self.provider.start().await.unwrap();
        let url = Url::parse(&url).unwrap();
        let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        (pending, of("state"), of("nonce"))
    }

    /// A whole login whose token is made of the nonce.
    async fn login(&self, token: impl FnOnce(&str) -> String) -> Result<Identity, Error> {
        let (pending, state, nonce) = self.begin().await;
        self.give(&token(&nonce));
        self.provider.finish(pending, &state, "code").await
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        stream.read_buf(&mut all).await.unwrap();
        let text = String::from_utf8_lossy(&all).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

#[tokio::test]
async fn a_login_goes_round_with_pkce_state_and_nonce() {
    let (idp, signer) = (Idp::new().await, Signer::new("k1"));
    idp.keys(&[&signer]);
    let (url, pending) = idp.provider.start().await.unwrap();
    let url = Url::parse(&url).unwrap();
    let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!((url.path(), of("tenant"), of("response_type")), ("/auth", "1".into(), "code".into()));
    assert_eq!((of("client_id"), of("scope")), (CLIENT.into(), "openid profile email groups".into()));
    assert_eq!(of("redirect_uri"), "https://seam.example/login/oidc/callback");
    assert_eq!((of("code_challenge_method"), of("state").len(), of("nonce").len()), ("S256".into(), 43, 43));
    idp.give(&signer.sign(&idp.claims(&of("nonce"))));
    let who = idp.provider.finish(pending, &of("state"), "the code").await.unwrap();
    assert_eq!((who.issuer, who.subject, who.role), (idp.issuer.clone(), "7".into(), Role::Operator));

    let asked = idp.asked.lock().unwrap();
    let exchange = asked.iter().find(|asked| asked.starts_with("POST /token")).unwrap();
    let (head, form) = exchange.split_once("\r\n\r\n").unwrap();
    // Both halves are encoded before they are joined (RFC 6749, 2.3.1).
    let basic = format!("authorization: Basic {}", STANDARD.encode("seam+watch:p%3Aw%25rd"));
    assert!(head.contains(&basic), "{head}");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let sent = |name: &str| form.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert_eq!((sent("grant_type"), sent("code")), ("authorization_code".into(), "the code".into()));
    let challenge = ring::digest::digest(&ring::digest::SHA256, sent("code_verifier").as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.encode(challenge), of("code_challenge"));
    assert!(!form.iter().any(|(key, _)| key == "client_secret"));
}

#[tokio::test]
async fn a_state_of_another_login_is_refused_before_the_provider_is_asked() {
    let (idp, signer) = (Idp::new().await, Signer::new("k1"));
    idp.keys(&[&signer]);
    let (pending, _, _) = idp.begin().await;
    let (_, other, _) = idp.begin().await;
    let refused = idp.provider.finish(pending, &other, "code").await.unwrap_err();
    assert!(matches!(&refused, Error::Login(said) if said.contains("another window")), "{refused:?}");
    let (pending, state, _) = idp.begin().await;
    assert!(matches!(idp.provider.finish(pending, &state, "").await, Err(Error::Login(_))));
    let (pending, state, _) = idp.begin().await;
    idp.now.fetch_add(600 * 1_000_000_000, Ordering::Relaxed);
    assert!(
        matches!(idp.provider.finish(pending, &state, "code").await, Err(Error::Login(said)) if said.contains("too long"))
    );
    assert_eq!(idp.count("/token"), 0);
}

#[tokio::test]
async fn a_return_is_good_once_and_only_in_its_own_browser() {
    let idp = Idp::new().await;
    idp.keys(&[]);
    let waiting = Waiting::default();
    let (pending, _, _) = idp.begin().await;
    waiting.keep("mine", HOME, pending);
    assert_eq!(waiting.take("theirs"), None);
    assert!(waiting.take("mine").is_some());
    assert_eq!(waiting.take("mine"), None, "a replay finds nothing");
    // What is too old goes when the next one comes.
    let (pending, _, _) = idp.begin().await;
    waiting.keep("old", HOME, pending);
    idp.now.fetch_add(600 * 1_000_000_000, Ordering::Relaxed);
    let (pending, _, _) = idp.begin().await;
    waiting.keep("new", HOME, pending);
    assert_eq!(waiting.take("old"), None);
    assert!(waiting.take("new").is_some());
}

#[tokio::test]
async fn whoever_begins_many_logins_pushes_out_their_own() {
    let idp = Idp::new().await;
    idp.keys(&[&Signer::new("k1")]);
    let waiting = Waiting::default();
    let begin = async |ticket: &str, from: &str| {
        idp.now.fetch_add(1, Ordering::Relaxed);
        let (pending, _, _) = idp.begin().await;
        waiting.keep(ticket, from.parse().unwrap(), pending);
    };
    begin("ada", "192.0.2.7").await;
    begin("first", "198.51.100.1").await;
    for n in 0..500 {
        begin(&format!("eve {n}"), &format!("198.51.100.{}", n % 250)).await;
    }
    assert!(
        waiting.take("first").is_none()
            && waiting.take("eve 0").is_some()
            && waiting.take("eve 499").is_some()
    );
    assert!(waiting.take("ada").is_some(), "who came from elsewhere goes on");
}

#[tokio::test]
async fn a_word_that_is_not_of_this_login_lets_nobody_in() {
    let (idp, signer) = (Idp::new().await, Signer::new("k1"));
    idp.keys(&[&signer]);
    let stranger = Signer::new("k1");
    let changed = |nonce: &str, name: &str, value: Value| {
        let mut claims = idp.claims(nonce);
        claims[name] = value;
        claims
    };
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    type Make<'m> = Box<dyn FnOnce(&str) -> String + 'm>;
    let cases: Vec<(&str, Make<'_>)> = vec![
        ("its nonce is of another login", Box::new(|_| signer.sign(&idp.claims("other")))),
        (
            "it is of another issuer",
            Box::new(|n| signer.sign(&changed(n, "iss", json!("https://evil.example")))),
        ),
        ("it is for another audience", Box::new(|n| signer.sign(&changed(n, "aud", json!("other"))))),
        ("it has expired", Box::new(|n| signer.sign(&changed(n, "exp", json!(NOW - 3600))))),
        ("no key of the provider signed it", Box::new(|n| stranger.sign(&idp.claims(n)))),
        (
            "it is signed in a way that is not taken",
            Box::new(|n| format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&idp.claims(n).to_string()))),
        ),
        (
            "it is signed in a way that is not taken",
            // Signed with our secret, or with the public key taken for one.
            Box::new(|n| signer.sign_as(&json!({"alg": "HS256", "kid": "k1"}), &idp.claims(n))),
        ),
        (
            "no key of the provider signed it",
            Box::new(|n| signer.sign_as(&json!({"alg": "RS256", "kid": "k1"}), &idp.claims(n))),
        ),
        (
            "it asks for extensions",
            Box::new(|n| {
                signer.sign_as(&json!({"alg": "ES256", "kid": "k1", "crit": ["x"], "x": 1}), &idp.claims(n))
            }),
        ),
        (
            "no key of the provider signed it",
            Box::new(|n| {
                let good = signer.sign(&idp.claims(n));
                let (head, rest) = good.split_once('.').unwrap();
                let (_, signature) = rest.split_once('.').unwrap();
                format!("{head}.{}.{signature}", part(&changed(n, "sub", json!("8")).to_string()))
            }),
        ),
        ("it is no signed token", Box::new(|_| "x".into())),
        ("it is no signed token", Box::new(|n| format!("{}.x", signer.sign(&idp.claims(n))))),
        ("it is no signed token", Box::new(|_| "..".into())),
    ];
    for (wanted, make) in cases {
        let refused = idp.login(make).await.unwrap_err();
        assert!(matches!(&refused, Error::Login(said) if said.contains(wanted)), "{wanted}: {refused:?}");
    }
    assert!(idp.login(|nonce| signer.sign(&idp.claims(nonce))).await.is_ok());
}

#[tokio::test]
async fn a_missing_group_is_told_to_who_logged_in_and_asked_for_first() {
    let (idp, signer) = (Idp::new().await, Signer::new("k1"));
    idp.keys(&[&signer]);
    let bare = |nonce: &str| {
        let mut claims = idp.claims(nonce);
        claims.as_object_mut().unwrap().remove("groups");
        signer.sign(&claims)
    };
    idp.answer(
        "/me",
        200,
        json!({"sub": "7", "iss": "https://evil.example", "groups": ["ops"], "name": "Ada"}),
    );
    let who = idp.login(bare).await.unwrap();
    assert_eq!(
        (who.name.as_str(), who.role, who.issuer.as_str()),
        ("Ada", Role::Operator, idp.issuer.as_str())
    );
    idp.answer("/me", 200, json!({"sub": "8", "groups": ["ops"]}));
    assert!(matches!(idp.login(bare).await, Err(Error::Login(said)) if said.contains("two people")));
    idp.answer("/me", 200, json!({"sub": "7"}));
    assert!(matches!(idp.login(bare).await, Err(Error::Refused(said)) if said.contains("names no groups")));
    idp.answer("/me", 500, json!({}));
    assert!(matches!(idp.login(bare).await, Err(Error::Provider(_))));
    let outside = |nonce: &str| {
        let mut claims = idp.claims(nonce);
        claims["groups"] = json!(["sales"]);
        signer.sign(&claims)
    };
    assert!(matches!(idp.login(outside).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn an_address_is_not_verified_by_a_word_about_another() {
    let domains = |settings: &mut Settings| {
        settings.mapping = Mapping { domains: vec!["example.com".into()], ..Mapping::default() };
    };
    let (idp, signer) = (Idp::with(domains).await, Signer::new("k1"));
    idp.keys(&[&signer]);
    idp.answer("/me", 200, json!({"sub": "7", "email": "a@example.com", "email_verified": true, "x": 1}));
    let without = |nonce: &str| signer.sign(&idp.claims(nonce));
    assert_eq!(idp.login(without).await.map(|who| who.role), Ok(Role::Viewer), "asked for where it decides");
    let unverified = |nonce: &str| {
        let mut claims = idp.claims(nonce);
        claims["email"] = json!("boss@example.com");
        signer.sign(&claims)
    };
    assert!(matches!(idp.login(unverified).await, Err(Error::Refused(_))));
    let groups = Mapping {
        groups_claim: "g".into(),
        admin: vec!["a".into()],
        domains: vec!["example.com".into()],
        ..Mapping::default()
    };
    let idp = Idp::with(|settings| settings.mapping = groups).await;
    idp.keys(&[&signer]);
    idp.answer("/me", 200, json!({"sub": "7", "g": "a", "email": "a@example.com", "email_verified": true}));
    let unverified = |nonce: &str| {
        let mut claims = idp.claims(nonce);
        claims["email"] = json!("boss@example.com");
        signer.sign(&claims)
    };
    assert!(matches!(idp.login(unverified).await, Err(Error::Refused(_))), "nor where groups are asked for");
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_is_not_asked_by_each_of_a_crowd() {
    let idp = Idp::new().await;
    idp.answer("/keys", 503, json!({}));
    for _ in 0..5 {
        assert!(
            matches!(idp.provider.start().await, Err(Error::Provider(said)) if said.contains("answered 503"))
        );
    }
    assert_eq!(idp.count("/keys"), 1);
    idp.keys(&[]);
    idp.now.fetch_add(5 * 1_000_000_000, Ordering::Relaxed);
    assert!(idp.provider.start().await.is_ok());
}

#[tokio::test]
async fn keys_are_asked_for_again_when_one_is_new_and_not_at_each_stranger() {
    let (idp, first, second) = (Idp::new().await, Signer::new("k1"), Signer::new("k2"));
    idp.keys(&[&first]);
    for _ in 0..3 {
        assert!(idp.login(|nonce| first.sign(&idp.claims(nonce))).await.is_ok());
    }
    assert_eq!((idp.count("/keys"), idp.count("/.well-known/openid-configuration")), (1, 1));
    idp.now.fetch_add(31 * 1_000_000_000, Ordering::Relaxed);
    idp.keys(&[&first, &second]);
    assert!(idp.login(|nonce| second.sign(&idp.claims(nonce))).await.is_ok());
    assert_eq!(idp.count("/keys"), 2);
    let stranger = Signer::new("k3");
    for _ in 0..5 {
        assert!(idp.login(|nonce| stranger.sign(&idp.claims(nonce))).await.is_err());
    }
    assert_eq!(idp.count("/keys"), 2, "not again so soon");
    // A key that was taken back is not believed for longer than an hour.
    idp.now.store((NOW + 3600) * 1_000_000_000, Ordering::Relaxed);
    idp.keys(&[&second]);
    let old = idp.login(|nonce| {
        let mut claims = idp.claims(nonce);
        (claims["iat"], claims["exp"]) = (json!(NOW + 3600), json!(NOW + 3900));
        first.sign(&claims)
    });
    assert!(matches!(old.await, Err(Error::Login(said)) if said.contains("no key of the provider")));
}

#[tokio::test]
async fn a_provider_that_is_another_or_broken_is_told_without_its_words() {
    let idp = Idp::new().await;
    let refused = |answer: Value, status: u16| {
        idp.answer("/.well-known/openid-configuration", status, answer);
        idp.provider.start()
    };
    let mut other = idp.document();
    other["issuer"] = json!("https://evil.example");
    let mut script = idp.document();
    script["jwks_uri"] = json!("file:///etc/passwd");
    let mut script_page = idp.document();
    script_page["authorization_endpoint"] = json!("javascript:alert(1)");
    idp.keys(&[]);
    for (answer, status, wanted) in [
        (script_page, 200, "not https"),
        (other, 200, "another name of itself"),
        (json!({"issuer": "secret words"}), 200, "nothing of itself"),
        (json!("secret words"), 503, "answered 503"),
        (script, 200, "not by file"),
        (json!({}), 404, "answered 404"),
    ] {
        // Past what was believed, and past the pause after a failure.
        idp.now.fetch_add(3600 * 1_000_000_000, Ordering::Relaxed);
        match refused(answer, status).await {
            Err(Error::Provider(said)) => {
                assert!(said.contains(wanted) && !said.contains("secret"), "{said}")
            }
            other => panic!("{wanted}: {other:?}"),
        }
    }
    idp.answer("/.well-known/openid-configuration", 200, idp.document());
    idp.now.fetch_add(3600 * 1_000_000_000, Ordering::Relaxed);
    for (status, answer, wanted) in [
        (400, json!({"error": "invalid_grant", "error_description": "secret words"}), "used already"),
        (401, json!({"error": "invalid_client"}), "client_id and client_secret_file"),
        (400, json!({"error": "secret words"}), "answered 400"),
        (302, json!({}), "answered 302"),
        (200, json!({"access_token": "x"}), "no ID token"),
        (200, json!("secret words"), "something else than tokens"),
    ] {
        let (pending, state, _) = idp.begin().await;
        idp.answer("/token", status, answer);
        let said = idp.provider.finish(pending, &state, "code").await.unwrap_err().to_string();
        assert!(said.contains(wanted) && !said.contains("secret words"), "{wanted}: {said}");
    }
}

#[tokio::test]
async fn how_a_client_says_who_it_is_goes_by_what_the_provider_takes() {
    for (secret, methods, wanted) in [
        (Some("s"), json!(["client_secret_post"]), "client_id=seam+watch&client_secret=s"),
        (None, json!(["none"]), "client_id=seam+watch"),
    ] {
        let idp = Idp::with(|settings| settings.client_secret = secret.map(str::to_owned)).await;
        let mut document = idp.document();
        document["token_endpoint_auth_methods_supported"] = methods;
        idp.answer("/.well-known/openid-configuration", 200, document);
        idp.keys(&[]);
        let _ = idp.login(|_| "x".into()).await;
        let asked = idp.asked.lock().unwrap();
        let exchange = asked.iter().find(|asked| asked.starts_with("POST /token")).unwrap();
        assert!(exchange.ends_with(wanted) && !exchange.contains("authorization:"), "{exchange}");
    }
}

#[test]
fn signatures_of_each_kind_hold_and_no_other() {
    let file = include_bytes!("../../tests/data/oidc/signed.json");
    let file: Value = serde_json::from_slice(file).unwrap();
    let keys = Keys::read(file["jwks"].to_string().as_bytes()).unwrap();
    let tokens = file["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 8);
    for (name, token) in tokens {
        let token = token.as_str().unwrap();
        let read = Unverified::read(token).unwrap_or_else(|why| panic!("{name}: {why}"));
        // An RSA key of 1,024 bits is too short to trust.
        assert_eq!(read.verify(&keys).is_ok(), name != "small", "{name}");
        assert!(read.verify(&Keys::default()).is_err(), "{name}");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[10] ^= 1;
        let changed = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&bytes));
        assert!(Unverified::read(&changed).unwrap().verify(&keys).is_err(), "{name}");
    }
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    let set = |more: Value| {
        let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Keys::read(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap()
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#), URL_SAFE_NO_PAD.encode("{}"));
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())));
    let holds = |keys: &Keys| Unverified::read(&token).unwrap().verify(keys).is_ok();
    assert!(holds(&set(json!({}))) && holds(&set(json!({"alg": "EdDSA", "kid": "x"}))));
    for other in
        [json!({"use": "enc"}), json!({"alg": "ES256"}), json!({"alg": "HS256"}), json!({"crv": "X25519"})]
    {
        assert!(!holds(&set(other.clone())), "{other}");
    }
}

#[test]
fn sets_of_keys_are_read_whatever_else_is_in_them() {
    assert!(Keys::read(b"no json").is_none());
    assert!(Keys::read(b"{}").is_none());
    let odd = json!({"keys": [7, null, {}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "short"}, {"kty": "EC", "crv": "P-521"}]});
    let keys = Keys::read(odd.to_string().as_bytes()).unwrap();
    assert!(!keys.knows(None) && !keys.knows(Some("short")));
}
