//! The client against servers that wish it ill.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::client::{Client, Error, Resolver, system, trust};
use super::guard::Policy;

/// A server that answers each connection with the same bytes, and tells what it was asked.
async fn answering(bytes: Vec<u8>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (tell, bytes) = (tell.clone(), bytes.clone());
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let _ = tell.send(String::from_utf8_lossy(&head[..read]).into_owned());
                // The client may have heard enough.
                let _ = stream.write_all(&bytes).await;
                if bytes.is_empty() {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (address, asked)
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

/// A client to which every name is at each of `answers` in turn, and that may ask a server of the test in the clear.
fn client(allow: &[&str], port: u16, answers: &[&str]) -> Client {
    let answers: Vec<IpAddr> = answers.iter().map(|text| text.parse().unwrap()).collect();
    let asked = AtomicUsize::new(0);
    let resolver: Resolver = Arc::new(move |_| {
        let answer = answers[asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
        Box::pin(async move { Ok(vec![answer]) })
    });
    let clear = texts(&["idp.example", "127.0.0.1", "localhost"]);
    let policy = Policy::new(&texts(allow), &clear, &[port, 443]).unwrap();
    Client::new(policy, resolver, trust(None).unwrap())
}

#[tokio::test]
async fn a_public_answer_is_asked_and_says_who_asks() {
    let (server, mut asked) =
        answering(b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nhi".to_vec()).await;
    let client = client(&["127.0.0.1"], server.port(), &["127.0.0.1"]);
    let url = format!("http://idp.example:{}/path?a=b%20c", server.port());
    let answer = client.send(Method::POST, &url, HeaderMap::new(), "body".into()).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body[..], answer.headers["x-a"].as_bytes()),
        (StatusCode::OK, &b"hi"[..], &b"b"[..])
    );
    let asked = asked.recv().await.unwrap();
    assert!(asked.starts_with("POST /path?a=b%20c HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: idp.example:{}\r\n", server.port())), "{asked}");
    assert!(asked.contains(concat!("user-agent: seamwatch/", env!("CARGO_PKG_VERSION"))), "{asked}");
}

#[tokio::test]
async fn this_machine_is_not_asked_however_it_is_spelled() {
    let (server, mut asked) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let port = server.port();
    let policy = Policy::new(&[], &[], &[port]).unwrap();
    let client = Client::new(policy, system(), trust(None).unwrap());
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
    ] {
        let url = format!("https://{host}:{port}/");
        match client.get(&url).await {
            Err(Error::Inside(_)) => {}
            // Some resolvers know it with a dot at its end, and some do not.
            Err(Error::NoAddress(_)) if host == "localhost." => {}
            other => panic!("{host}: {other:?}"),
        }
    }
    assert!(asked.try_recv().is_err(), "nothing was connected to");
}

#[tokio::test]
async fn ghsa_7v53_pw6r_99vj_a_name_that_leads_inside_is_not_asked() {
    let (server, mut asked) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    for inside in
        ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"]
    {
        let client = client(&[], server.port(), &[inside]);
        let error = client.get(&format!("http://idp.example:{}/", server.port())).await.unwrap_err();
        assert!(matches!(error, Error::Inside(_)), "{inside}: {error}");
        assert!(
            error.to_string().contains("[outgoing] allow") && !error.to_string().contains(inside),
            "{error}"
        );
    }
    assert!(asked.try_recv().is_err(), "nothing was connected to");
}

#[tokio::test]
async fn a_second_answer_of_dns_moves_nothing() {
    let (first, mut asked_first) =
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst".to_vec()).await;
    // The same port at another address of this machine, which is not listed.
    let second = TcpListener::bind(("127.0.0.2", first.port())).await.unwrap();
    let client = client(&["127.0.0.1"], first.port(), &["127.0.0.1", "127.0.0.2"]);
    let url = format!("http://idp.example:{}/", first.port());
    assert_eq!(client.get(&url).await.unwrap().body, "first");
    assert!(asked_first.recv().await.is_some());
    // Asked anew, the name is elsewhere, and that is checked anew.
    assert!(matches!(client.get(&url).await, Err(Error::Inside(_))));
    assert!(tokio::time::timeout(Duration::from_millis(200), second.accept()).await.is_err());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (inside, mut asked_inside) =
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    for to in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://127.0.0.1:{}/", inside.port()),
    ] {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let (server, _asked) = answering(head.into_bytes()).await;
        let client = client(&["127.0.0.1"], server.port(), &["127.0.0.1"]);
        let answer = client.get(&format!("http://idp.example:{}/", server.port())).await.unwrap();
        assert_eq!(answer.status, StatusCode::FOUND);
    }
    assert!(asked_inside.try_recv().is_err());
}

#[tokio::test]
async fn answers_are_bounded_in_length_and_time_and_stand_in_no_error() {
    let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    long.resize(long.len() + (1 << 20) + 1, b's');
    let chunked =
        [&b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n"[..], &vec![b's'; 0x200000]]
            .concat();
    let head = [&b"HTTP/1.1 200 OK\r\nx: "[..], &vec![b's'; 1 << 20]].concat();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nsecret".to_vec();
    let other = b"220 smtp.secret ESMTP\r\n".to_vec();
    let silent = Vec::new();
    for (bytes, wanted) in [
        (long, "answered with more than 1048576 bytes"),
        (chunked, "answered with more than 1048576 bytes"),
        (head, "did not answer in HTTP"),
        (cut, "not to the end"),
        (other, "did not answer in HTTP"),
        (silent, "did not answer within"),
    ] {
        let (server, _asked) = answering(bytes).await;
        let client = client(&["127.0.0.1"], server.port(), &["127.0.0.1"]);
        // Only the silent one needs it to be short.
        let client =
            if wanted.ends_with("within") { client.within(Duration::from_millis(300)) } else { client };
        let error =
            client.get(&format!("http://idp.example:{}/?code=hidden", server.port())).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(wanted) && said.starts_with("idp.example "), "{wanted}: {said}");
        assert!(!said.contains("secret") && !said.contains("hidden") && !said.contains("sss"), "{said}");
    }
}

#[tokio::test]
async fn a_body_that_trickles_does_not_hold_the_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        while stream.write_all(b"s").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let client = client(&["127.0.0.1"], port, &["127.0.0.1"]).within(Duration::from_millis(500));
    let error = client.get(&format!("http://idp.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Slow(..)), "{error}");
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_of_the_name_that_was_asked_for() {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["idp.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![made.der().clone()];
    let config = config.with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                stream.read_exact(&mut [0; 20]).await?;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe").await?;
                stream.shutdown().await
            });
        }
    });
    let resolver: Resolver = Arc::new(|_| Box::pin(async { Ok(vec!["127.0.0.1".parse().unwrap()]) }));
    let policy = Policy::new(&texts(&["127.0.0.1"]), &[], &[port]).unwrap();
    let with = |tls| Client::new(policy.clone(), resolver.clone(), tls);
    let pem = made.pem();
    let trusting = with(trust(Some(pem.as_bytes())).unwrap());
    assert_eq!(trusting.get(&format!("https://idp.example:{port}/")).await.unwrap().body, "safe");
    for (client, host) in [(trusting, "other.example"), (with(trust(None).unwrap()), "idp.example")] {
        let error = client.get(&format!("https://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Untrusted(_)), "{error}");
    }
    assert!(trust(Some(b"nothing")).is_err_and(|said| said.contains("no certificate in PEM")));
}
