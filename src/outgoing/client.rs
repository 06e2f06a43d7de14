//! One call: resolve, check, connect to what was checked, ask, read within bounds.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::guard::{Policy, Target};

/// How long a call may take from its beginning to the last byte of its answer.
const WITHIN: Duration = Duration::from_secs(10);
/// How long one of several addresses may take to be connected to.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Bytes of an answer's body.
const MAX_BODY: usize = 1 << 20;
/// Bytes of an answer's head.
const MAX_HEAD: usize = 64 << 10;
/// Who asks.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("seamwatch/", env!("CARGO_PKG_VERSION")));

/// Says which addresses a name has.
pub type Resolver =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// The system's resolver.
pub fn system() -> Resolver {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Whom a server's certificate is held against: the system's authorities, and those in `more` (PEM).
pub fn trust(more: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // Systems hold some that cannot be read, and do well without them.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = more {
        let mut found = 0;
        for authority in CertificateDer::pem_slice_iter(pem) {
            let added = authority.map_err(|error| error.to_string());
            added.and_then(|authority| roots.add(authority).map_err(|error| error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err("no certificate in PEM (-----BEGIN CERTIFICATE-----)".into());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    policy: Arc<Policy>,
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    within: Duration,
}

/// What was answered, whatever its status: a redirect is an answer like any other.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The head.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

/// Why there is no answer. No word of it is the other side's, and of the address only the host is said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no URL.
    #[error("What is to be asked is no address like https://host/path.")]
    NoUrl,
    /// Another scheme.
    #[error(
        "Others are asked by https, and not by {0}; [outgoing] in_the_clear names hosts that may be asked by http."
    )]
    Scheme(String),
    /// A name and a password within the address.
    #[error("The address of {0} holds a name or a password; leave them out.")]
    Password(String),
    /// Another port.
    #[error("{0} is not asked at port {1}; [outgoing] ports lists those that may be.")]
    Port(String, u16),
    /// The name has no address, or the resolver did not answer.
    #[error("{0} has no address: its name cannot be resolved.")]
    NoAddress(String),
    /// It is where calls do not go.
    #[error(
        "{0} has no address that may be asked: it is on this machine or in a private network. If it is meant, name \
         the host or its network in [outgoing] allow."
    )]
    Inside(String),
    /// No connection.
    #[error("{0} cannot be connected to: {1}.")]
    Connect(String, io::ErrorKind),
    /// No secure connection.
    #[error(
        "{0} has no certificate that can be trusted, or speaks no TLS; [outgoing] ca_file adds an authority."
    )]
    Untrusted(String),
    /// Too slow.
    #[error("{0} did not answer within {seconds} s.", seconds = .1.as_secs())]
    Slow(String, Duration),
    /// Too long.
    #[error("{0} answered with more than {MAX_BODY} bytes.")]
    TooLong(String),
    /// No HTTP, or an end in the middle of it.
    #[error("{0} did not answer in HTTP, or not to the end.")]
    NoHttp(String),
}

impl Client {
    /// A client that goes where `policy` allows.
    pub fn new(policy: Policy, resolver: Resolver, tls: Arc<ClientConfig>) -> Client {
        Client { policy: Arc::new(policy), resolver, tls, within: WITHIN }
    }

    #[cfg(test)]
    pub(super) fn within(mut self, within: Duration) -> Client {
        self.within = within;
        self
    }

    /// Whether an address may be called, as far as can be told before its name is resolved.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &str) -> Result<(), Error> {
        let target = self.policy.target(url)?;
        let literal = match &target.host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
            Host::Domain(_) => None,
        };
        literal.map_or(Ok(()), |address| self.policy.permitted(&target.host, vec![address]).map(|_| ()))
    }

    /// GET.
    pub async fn get(&self, url: &str) -> Result<Answer, Error> {
        self.send(Method::GET, url, HeaderMap::new(), Bytes::new()).await
    }

    /// Any request.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let target = self.policy.target(url)?;
        let host = target.host.to_string();
        let call = self.call(&target, method, url, headers, body);
        tokio::time::timeout(self.within, call).await.unwrap_or(Err(Error::Slow(host, self.within)))
    }

    async fn call(
        &self,
        target: &Target,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let request = request(method, url, headers, body)?;
        let stream = self.connect(target).await?;
        let host = || target.host.to_string();
        if !target.secure {
            return exchange(stream, request, host()).await;
        }
        let name = match &target.host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Error::Untrusted(host()))?,
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await;
        exchange(stream.map_err(|_| Error::Untrusted(host()))?, request, host()).await
    }

    /// Connects to an address that was checked, and not to the name that it was found by.
    async fn connect(&self, target: &Target) -> Result<TcpStream, Error> {
        let host = || target.host.to_string();
        let found = match &target.host {
            Host::Domain(name) => {
                (self.resolver)(name.clone()).await.map_err(|_| Error::NoAddress(host()))?
            }
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
        };
        let mut last = io::ErrorKind::NotFound;
        for address in self.policy.permitted(&target.host, found)? {
            let connecting = TcpStream::connect(SocketAddr::new(address, target.port));
            match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error.kind(),
                Err(_) => last = io::ErrorKind::TimedOut,
            }
        }
        Err(Error::Connect(host(), last))
    }
}

fn request(
    method: Method,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Error> {
    let url = Url::parse(url).map_err(|_| Error::NoUrl)?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|_| Error::NoUrl)?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(HOST, HeaderValue::try_from(host).map_err(|_| Error::NoUrl)?);
    request.headers_mut().insert(USER_AGENT, AGENT);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    host: String,
) -> Result<Answer, Error> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let shaken = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|_| Error::NoHttp(host.clone()))?;
    // Ends with this call, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(|_| Error::NoHttp(host.clone()))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Error::TooLong(host.clone()),
            None => Error::NoHttp(host.clone()),
        }
    })?;
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
}
