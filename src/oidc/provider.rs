//! The provider: what it says of itself, where a login begins, and who it was that came back.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::keys::Keys;
use super::token::Unverified;
use super::waiting::PATIENCE;
use crate::access::oidc::{self, Claims, Expected, Identity, Mapping};
use crate::access::secret::hash;
use crate::clock::Clock;
use crate::outgoing::client::{Answer, Client};
use crate::signals::telemetry::Nanos;

/// How long what a provider says of itself is believed.
const FRESH: Nanos = 3600 * 1_000_000_000;
/// How soon keys are asked for again because a token names one that is not known.
const AGAIN: Nanos = 30 * 1_000_000_000;
/// How long nothing is asked of a provider that could not be asked.
const PAUSE: Nanos = 5 * 1_000_000_000;
/// Letters of a code or a state, as they come back through the browser.
const MAX_PARAMETER: usize = 4096;

/// Where the browser comes back to, below where people reach the pages.
pub const CALLBACK: &str = "/login/oidc/callback";

/// The provider and our place there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Letter by letter as the provider names itself.
    pub issuer: String,
    /// As whom we are known.
    pub client_id: String,
    /// The secret that goes with it.
    pub client_secret: Option<String>,
    /// Beside `openid profile email`.
    pub scopes: Vec<String>,
    /// Where the browser comes back to, as it is registered there.
    pub redirect_uri: String,
    /// Whose groups give which role.
    pub mapping: Mapping,
}

/// A login that has begun. It is used up by its end, so that nothing of it is good twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Pending {
    state: String,
    nonce: String,
    verifier: String,
    began: Nanos,
}

impl Pending {
    /// When it began.
    pub fn began(&self) -> Nanos {
        self.began
    }
}

/// Why a login came to nothing. Each is a sentence that may be shown; no word of it is the provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The provider cannot be asked, or answers what it should not: for who runs this server.
    Provider(String),
    /// What came back is not the end of the login that began: perhaps an attack, perhaps an old page.
    Login(String),
    /// Somebody who may not come in.
    Refused(String),
}

impl Display for Error {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let (Error::Provider(sentence) | Error::Login(sentence) | Error::Refused(sentence)) = self;
        to.write_str(sentence)
    }
}

impl std::error::Error for Error {}

/// The provider.
pub struct Provider {
    settings: Settings,
    client: Client,
    clock: Clock,
    /// Held while the provider is asked: a crowd asks once.
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    known: Option<Known>,
    /// What came of the last try, if it was nothing: a crowd does not wait for a dead provider one by one.
    failed: Option<(Nanos, Error)>,
}

struct Known {
    document: Document,
    keys: Arc<Keys>,
    at: Nanos,
    keys_at: Nanos,
}

/// What a provider says of itself, as far as it is used.
#[derive(Clone, Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Exchanged {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl Provider {
    /// Nothing is asked before the first login.
    pub fn new(settings: Settings, client: Client, clock: Clock) -> Provider {
        Provider { settings, client, clock, memory: Mutex::default() }
    }

    /// Where to send the browser, and what to remember until it comes back.
    pub async fn start(&self) -> Result<(String, Pending), Error> {
        let document = self.known(None).await?.0;
        let pending =
            Pending { state: random()?, nonce: random()?, verifier: random()?, began: (self.clock)() };
        let mut url =
            Url::parse(&document.authorization_endpoint).map_err(|_| says("no address to log in at"))?;
        // The browser goes there, not we: it must not lead to a script, nor into the clear where the issuer does not.
        let in_the_clear = self.settings.issuer.starts_with("http://") && url.scheme() == "http";
        if url.scheme() != "https" && !in_the_clear {
            return Err(says("an address to log in at that is not https"));
        }
        let challenge = URL_SAFE_NO_PAD.encode(hash(pending.verifier.as_bytes()));
        let scopes = ["openid", "profile", "email"].into_iter().map(str::to_owned);
        let scope: Vec<String> = scopes.chain(self.settings.scopes.iter().cloned()).collect();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.redirect_uri)
            .append_pair("scope", &scope.join(" "))
            .append_pair("state", &pending.state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok((url.into(), pending))
    }

    /// Who came back with `state` and `code`.
    pub async fn finish(&self, pending: Pending, state: &str, code: &str) -> Result<Identity, Error> {
        if hash(state.as_bytes()) != hash(pending.state.as_bytes()) {
            return Err(Error::Login(
                "This login was begun in another window or browser; begin it again.".into(),
            ));
        }
        if (self.clock)().saturating_sub(pending.began) >= PATIENCE {
            return Err(Error::Login("This login took too long; begin it again.".into()));
        }
        if code.is_empty() || code.len() > MAX_PARAMETER {
            return Err(Error::Login("The provider sent nothing to log in with; begin again.".into()));
        }
        let (document, _) = self.known(None).await?;
        let exchanged = self.exchange(&document, code, &pending.verifier).await?;
        let token =
            exchanged.id_token.ok_or_else(|| says("no ID token; is the scope openid allowed there?"))?;
        let mut claims = self.verified(&token, &pending).await?;
        if !oidc::is_whole(&claims, &self.settings.mapping)
            && let (Some(endpoint), Some(access)) = (&document.userinfo_endpoint, &exchanged.access_token)
        {
            self.add_what_more_is_said(&mut claims, endpoint, access).await?;
        }
        oidc::identity(&claims, &self.settings.mapping).map_err(Error::Refused)
    }

    /// Code and verifier for tokens.
    async fn exchange(&self, document: &Document, code: &str, verifier: &str) -> Result<Exchanged, Error> {
        let (headers, body) = self.exchanging(document, code, verifier)?;
        let sent = self.client.send(Method::POST, &document.token_endpoint, headers, body).await;
        let answer = sent.map_err(|error| Error::Provider(error.to_string()))?;
        if answer.status != StatusCode::OK {
            return Err(not_exchanged(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|_| says("something else than tokens for a code"))
    }

    /// What is sent for it. Apart from the sending, since the form may not go from thread to thread.
    fn exchanging(
        &self,
        document: &Document,
        code: &str,
        verifier: &str,
    ) -> Result<(HeaderMap, Bytes), Error> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.settings.redirect_uri)
            .append_pair("code_verifier", verifier);
        let mut headers = accepting_json();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let methods = &document.token_endpoint_auth_methods_supported;
        let in_form = !methods.is_empty() && methods.iter().all(|method| method != "client_secret_basic");
        match &self.settings.client_secret {
            Some(secret) if !in_form => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.settings.client_id), encoded(secret));
                let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
                    .map_err(|_| says("a way to log in that is not known here"))?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            secret => {
                form.append_pair("client_id", &self.settings.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret);
                }
            }
        }
        Ok((headers, Bytes::from(form.finish())))
    }

    /// What a token says, once its signature holds and it is about this login.
    async fn verified(&self, token: &str, pending: &Pending) -> Result<Claims, Error> {
        let not = |why: &str| Error::Login(format!("The provider's word is not taken: {why}."));
        let token = Unverified::read(token).map_err(not)?;
        let (_, keys) = self.known(token.key()).await?;
        let claims = token.verify(&keys).map_err(not)?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &pending.nonce,
            began: pending.began,
            now: (self.clock)(),
        };
        oidc::check(&claims, &expected).map_err(not)?;
        Ok(claims)
    }

    /// Adds what the provider tells apart from the token. What the token says stands.
    async fn add_what_more_is_said(
        &self,
        claims: &mut Claims,
        endpoint: &str,
        access: &str,
    ) -> Result<(), Error> {
        let mut headers = accepting_json();
        let mut bearer = HeaderValue::try_from(format!("Bearer {access}"))
            .map_err(|_| says("an access token that is no text"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        let sent = self.client.send(Method::GET, endpoint, headers, Bytes::new()).await;
        let answer = sent.map_err(|error| Error::Provider(error.to_string()))?;
        let more: Claims = match answer.status {
            StatusCode::OK => {
                serde_json::from_slice(&answer.body).map_err(|_| says("no JSON about a person"))?
            }
            _ => return Err(says("nothing about the person who logged in")),
        };
        // Or it would be about whomever the access token is of (OpenID Connect Core, 5.3.2).
        if more.get("sub") != claims.get("sub") {
            return Err(Error::Login("The provider's words are about two people; begin again.".into()));
        }
        // An address and whether it is verified are one word, and not taken from two.
        let is_mail = |name: &str| ["email", "email_verified"].contains(&name);
        let has_mail = claims.keys().any(|name| is_mail(name));
        for (name, value) in more.into_iter().filter(|(name, _)| !(has_mail && is_mail(name))) {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// What the provider says of itself, and its keys, with `key` among them if it has it.
    async fn known(&self, key: Option<&str>) -> Result<(Document, Arc<Keys>), Error> {
        let mut memory = self.memory.lock().await;
        let now = (self.clock)();
        let of = |known: &Known| (known.document.clone(), known.keys.clone());
        if let Some(known) = memory.known.as_mut().filter(|known| now.saturating_sub(known.at) < FRESH) {
            if !known.keys.knows(key) && now.saturating_sub(known.keys_at) >= AGAIN {
                // Whatever comes of it: a stranger's key does not make us ask at each try.
                known.keys_at = now;
                known.keys = Arc::new(self.keys(&known.document).await?);
            }
            return Ok(of(known));
        }
        if let Some((_, error)) = memory.failed.as_ref().filter(|(at, _)| now.saturating_sub(*at) < PAUSE) {
            return Err(error.clone());
        }
        match self.ask().await {
            Ok((document, keys)) => {
                let fresh = Known { document, keys: Arc::new(keys), at: now, keys_at: now };
                let both = of(&fresh);
                *memory = Memory { known: Some(fresh), failed: None };
                Ok(both)
            }
            Err(error) => {
                memory.failed = Some(((self.clock)(), error.clone()));
                Err(error)
            }
        }
    }

    async fn ask(&self) -> Result<(Document, Keys), Error> {
        let document = self.discover().await?;
        let keys = self.keys(&document).await?;
        Ok((document, keys))
    }

    async fn discover(&self) -> Result<Document, Error> {
        let url = format!("{}/.well-known/openid-configuration", self.settings.issuer.trim_end_matches('/'));
        let document: Document = serde_json::from_slice(&self.get(&url).await?)
            .map_err(|_| says("nothing of itself at /.well-known/openid-configuration"))?;
        if document.issuer != self.settings.issuer {
            return Err(says(
                "another name of itself than [oidc] issuer; they must be alike, letter by letter",
            ));
        }
        Ok(document)
    }

    async fn keys(&self, document: &Document) -> Result<Keys, Error> {
        Keys::read(&self.get(&document.jwks_uri).await?).ok_or_else(|| says("no set of keys"))
    }

    async fn get(&self, url: &str) -> Result<Bytes, Error> {
        let sent = self.client.send(Method::GET, url, accepting_json(), Bytes::new()).await;
        let answer = sent.map_err(|error| Error::Provider(error.to_string()))?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => {
                let status = status.as_u16();
                Err(Error::Provider(format!(
                    "The provider of logins answered {status} where it says of itself."
                )))
            }
        }
    }
}

fn says(what: &str) -> Error {
    Error::Provider(format!("The provider of logins says {what}."))
}

/// The standard's words for it, in ours; others only by their status.
fn not_exchanged(answer: &Answer) -> Error {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    let said = serde_json::from_slice(&answer.body).map_or(String::new(), |said: Said| said.error);
    match said.as_str() {
        "invalid_grant" => Error::Login("This login was used already, or took too long; begin it again.".into()),
        "invalid_client" | "unauthorized_client" => Error::Provider(
            "The provider of logins does not know this server: check [oidc] client_id and client_secret_file.".into(),
        ),
        _ => {
            let status = answer.status.as_u16();
            Error::Provider(format!("The provider of logins answered {status} where a code is taken."))
        }
    }
}

fn accepting_json() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))])
}

/// 256 bits, as 43 letters that may stand in an address.
fn random() -> Result<String, Error> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::Provider("The system gives no random numbers.".into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
