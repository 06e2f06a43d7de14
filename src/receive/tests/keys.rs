//! Who may send, on both ports. `CVE-…` names what happened to others and must not happen here.

use std::sync::atomic::{AtomicI64, Ordering};

use super::grpc::{TRACES, bad, frame};
use super::*;
use crate::access::door::Door;
use crate::access::key::IngestKey;
use crate::access::secret::{Kind, Secret};
use crate::receive::intake;
use crate::signals::scope::Pattern;

const NOW: i64 = 1_800_000_000_000_000_000;

fn key(id: u64, name: &str, integration: &str, secret: &Secret) -> IngestKey {
    IngestKey {
        id,
        name: name.into(),
        hash: secret.hash(),
        tail: secret.tail().to_owned(),
        integration: integration.parse().unwrap(),
        environment: Pattern::any(),
        made_at: NOW,
        made_by: "ada".into(),
        expires_at: None,
        revoked_at: None,
        flagged_until: None,
        last_used_at: None,
        rate: None,
        byte_rate: None,
    }
}

fn secret() -> Secret {
    Secret::mint(Kind::IngestKey).unwrap()
}

/// A server that knows these keys, and its time.
async fn knowing(keys: Vec<IngestKey>) -> (Server, Arc<Keys>, Arc<AtomicI64>) {
    let ring = Arc::new(Keys::new(Door::default(), Arc::default(), false));
    ring.replace(keys);
    let time = Arc::new(AtomicI64::new(NOW));
    let shown = time.clone();
    let clock: Clock = Arc::new(move || shown.load(Ordering::Relaxed));
    let server = Setup { clock, keys: Some(ring.clone()), ..Setup::default() }.start().await;
    (server, ring, time)
}

async fn report(server: &Server, name: &str, headers: &[(&str, &str)]) -> Answer {
    server.post(&format!("/report/{name}"), headers, "").await
}

#[tokio::test]
async fn a_key_is_taken_in_each_form_that_is_customary() {
    let secret = secret();
    let (server, ..) = knowing(vec![key(1, "a", "shop", &secret)]).await;
    let sent = secret.reveal();
    for headers in [
        &[("authorization", &*format!("Bearer {sent}"))][..],
        &[("authorization", &format!("bearer   {sent} "))],
        &[("authorization", &format!("Bearer%20{sent}"))],
        &[("api-key", sent)],
        &[("authorization", "Basic dXNlcjpwYXNz"), ("api-key", sent)],
        &[("authorization", "Bearer eyJhbGciOi.a-mesh's.own"), ("api-key", sent)],
    ] {
        assert_eq!(report(&server, "shop", headers).await.status, StatusCode::OK, "{headers:?}");
        let mut with_type = headers.to_vec();
        with_type.retain(|(name, _)| *name != "content-type");
        let answer = server.call(TRACES, &with_type, frame(0, b"")).await;
        assert_eq!(answer.trailers.get("grpc-status").unwrap(), "0", "{headers:?}");
    }
    assert!(server.kept().iter().all(|record| record.key_id == 1));
}

#[tokio::test]
async fn x4_who_has_no_good_key_is_told_what_to_do_on_both_ports_and_never_to_come_again() {
    let (good, expired, revoked) = (secret(), secret(), secret());
    let (server, ..) = knowing(vec![
        key(1, "good", "*", &good),
        IngestKey { expires_at: Some(NOW), ..key(2, "old", "*", &expired) },
        IngestKey { revoked_at: Some(NOW - 1), ..key(3, "lost", "*", &revoked) },
    ])
    .await;
    let stranger = secret();
    let token = Secret::mint(Kind::ApiToken).unwrap();
    let mistyped = good.reveal().replace("sw_ing_", "sw_ing_x");
    for (sent, reason, says) in [
        (None, "no_key", "authorization: Bearer KEY"),
        (Some(stranger.reveal()), "unknown_key", "another server's"),
        (Some(&*mistyped), "unknown_key", "one wrong or missing letter"),
        (Some("hunter2"), "unknown_key", "begin with sw_ing_"),
        (Some(token.reveal()), "unknown_key", "telemetry takes an ingest key"),
        (Some(expired.reveal()), "expired_key", "\"old\" expired at 2027-01-15 08:00 UTC"),
        (Some(revoked.reveal()), "revoked_key", "\"lost\" was revoked at"),
    ] {
        let before = server.count(&format!("refused_{reason}"));
        let value = sent.map(|sent| format!("Bearer {sent}"));
        let headers: Vec<(&str, &str)> =
            value.iter().map(|value| ("authorization", value.as_str())).collect();
        let answer = report(&server, "shop", &headers).await;
        assert_eq!(answer.status.as_u16(), 401, "{reason}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        assert_eq!((answer.json()["code"].clone(), answer.header("retry-after")), (16.into(), None));
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says) && message.contains("seamwatch keys"), "{message}");
        assert!(sent.is_none_or(|sent| !message.contains(sent)), "{message}");
        let answer = server.call(TRACES, &headers, frame(0, &one_span())).await;
        let status = bad(&answer);
        assert_eq!((status.code, &*status.message, status.details.len()), (16, &*message, 0));
        assert_eq!(answer.header("google.rpc.retryinfo-bin"), None);
        assert_eq!(server.count(&format!("refused_{reason}")), before + 2, "{reason}");
    }
    assert_eq!(server.kept(), []);
}

#[tokio::test]
async fn x4_what_is_refused_for_its_key_is_never_read() {
    let (server, ..) = knowing(vec![key(1, "a", "*", &secret())]).await;
    // A body that promises more than is ever sent would be waited for.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\
                expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 401");
    assert_eq!(server.intake.budget().used(), 0);
}

#[tokio::test]
async fn x4_a_key_sends_for_what_it_names_and_for_nobody_else() {
    let secret = secret();
    let (server, ..) = knowing(vec![key(7, "shop-1", "shop", &secret)]).await;
    let bearer = format!("Bearer {}", secret.reveal());
    let auth = ("authorization", &*bearer);
    let answer = report(&server, "crm", &[auth]).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (403, 7.into()));
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("the key \"shop-1\" may send for integration shop"), "{message}");
    assert!(message.contains("for crm in default"), "{message}");
    let status = bad(&server.call(TRACES, &[auth], frame(0, &one_span())).await);
    assert_eq!((status.code, status.details.len()), (7, 0));
    assert_eq!(server.count("refused_outside_scope"), 2);
    assert_eq!(server.kept(), []);

    // A part of it is within: that part is taken, and read again it is the same part.
    let both = [named("shop"), named("crm"), named("crm")].concat();
    let answer = server.post("/v1/traces", &[auth, ("content-type", PROTOBUF)], both).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&answer.body).contains("2 records not taken"));
    let kept = server.kept();
    let (ring, limits) = (&server.keys, decode::Limits::default());
    assert!(ring.of_kept(kept[0].key_id).is_ok());
    let again = intake::replay(&kept[0], &ring.of_kept(kept[0].key_id).unwrap(), &limits).unwrap();
    assert_eq!((again.batch.records, again.rejected.outside), (1, 2));
    // Nothing says any more what of it was taken.
    ring.replace(Vec::new());
    assert!(ring.of_kept(kept[0].key_id).is_err_and(|said| said.contains("number 7")));
}

#[tokio::test]
async fn what_was_taken_whole_is_read_again_whole_whatever_becomes_of_its_key() {
    let secret = secret();
    let (server, ..) = knowing(vec![key(7, "a", "shop", &secret)]).await;
    let bearer = format!("Bearer {}", secret.reveal());
    server.post("/v1/traces", &[("authorization", &bearer), ("content-type", PROTOBUF)], named("shop")).await;
    server.keys.replace(Vec::new());
    let kept = server.kept();
    assert_eq!(kept[0].key_id, 7);
    let rules = server.keys.of_kept(7).unwrap();
    assert_eq!(intake::replay(&kept[0], &rules, &decode::Limits::default()).unwrap().batch.records, 1);
}

/// Spans of one service; messages of protobuf that follow each other are one.
fn named(service: &str) -> Vec<u8> {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    let mut request = <ExportTraceServiceRequest as Message>::decode(&*one_span()).unwrap();
    let value = AnyValue { value: Some(any_value::Value::StringValue(service.to_owned())) };
    let named = KeyValue { key: "service.name".to_owned(), value: Some(value), ..KeyValue::default() };
    for of in &mut request.resource_spans {
        of.resource.get_or_insert_default().attributes.push(named.clone());
        for span in of.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            span.span_id = uuid::Uuid::new_v4().as_bytes()[..8].to_vec();
        }
    }
    request.encode_to_vec()
}

#[tokio::test]
async fn a_revoked_key_may_be_taken_and_flagged_for_a_while() {
    let secret = secret();
    let revoked =
        IngestKey { revoked_at: Some(NOW), flagged_until: Some(NOW + 100), ..key(1, "a", "*", &secret) };
    let (server, ring, time) = knowing(vec![revoked]).await;
    let bearer = format!("Bearer {}", secret.reveal());
    let headers = [("authorization", &*bearer), ("user-agent", "otel\u{9}agent/1")];
    assert_eq!(report(&server, "shop", &headers).await.status, StatusCode::OK);
    let used = ring.all()[0].used.clone();
    assert_eq!((used.flagged(), used.refused(), used.last()), (1, 0, NOW));
    let ended = used.ended();
    assert_eq!(ended.flagged_at, NOW);
    assert_eq!(ended.integrations.into_iter().collect::<Vec<_>>(), ["shop"]);
    assert_eq!(ended.agents.into_iter().collect::<Vec<_>>(), ["otel agent/1"]);
    time.store(NOW + 100, Ordering::Relaxed);
    assert_eq!(report(&server, "shop", &headers).await.status.as_u16(), 401);
    assert_eq!((used.flagged(), used.refused(), used.ended().refused_at), (1, 1, NOW + 100));
    assert!(ring.snapshot().contains(&("key_1_flagged".to_owned(), 1)));
}

#[tokio::test]
async fn another_ring_is_in_force_at_once_and_counts_go_on() {
    let (old, new) = (secret(), secret());
    let first = key(1, "a", "*", &old);
    let (server, ring, _) = knowing(vec![first.clone()]).await;
    let status = async |secret: &Secret| {
        let bearer = format!("Bearer {}", secret.reveal());
        report(&server, "shop", &[("authorization", &bearer)]).await.status.as_u16()
    };
    assert_eq!((status(&old).await, status(&new).await), (200, 401));
    ring.replace(vec![first.clone(), key(2, "b", "*", &new)]);
    assert_eq!((status(&old).await, status(&new).await), (200, 200), "both, while senders change over");
    ring.replace(vec![IngestKey { revoked_at: Some(NOW), ..first }, key(2, "b", "*", &new)]);
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
    assert!(ring.snapshot().contains(&("key_1_requests".to_owned(), 2)));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_refuses_nobody_for_good() {
    let (known, new) = (secret(), secret());
    let (server, ring, _) = knowing(vec![key(1, "a", "*", &known)]).await;
    ring.unread();
    let answer = async |secret: &Secret| {
        let bearer = format!("Bearer {}", secret.reveal());
        report(&server, "shop", &[("authorization", &bearer)]).await
    };
    assert_eq!(answer(&known).await.status, StatusCode::OK);
    let refused = answer(&new).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (503, 14.into()));
    assert!(refused.header("retry-after").is_some());
    ring.replace(vec![key(1, "a", "*", &known), key(2, "b", "*", &new)]);
    assert_eq!(answer(&new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn r9_who_sends_too_fast_is_told_when_to_come_again_and_others_are_not() {
    let (fast, calm) = (secret(), secret());
    let limited = IngestKey { rate: Some(1), ..key(1, "fast", "*", &fast) };
    let (server, ring, _) = knowing(vec![limited, key(2, "calm", "*", &calm)]).await;
    let bearer = format!("Bearer {}", fast.reveal());
    let headers = [("authorization", &*bearer)];
    let answer = loop {
        let answer = report(&server, "shop", &headers).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
    };
    assert_eq!((answer.status.as_u16(), answer.json()["code"].clone()), (429, 8.into()));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(answer.json()["details"][0]["retryDelay"], format!("{seconds}s"));
    let answer = loop {
        let answer = server.call(TRACES, &headers, frame(0, b"")).await;
        if answer.header("grpc-status").is_some_and(|status| status != "0") {
            break answer;
        }
    };
    let status = bad(&answer);
    assert_eq!(status.code, 8);
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    assert!(answer.header("google.rpc.retryinfo-bin").is_some());
    let bearer = format!("Bearer {}", calm.reveal());
    for _ in 0..5 {
        assert_eq!(report(&server, "shop", &[("authorization", &bearer)]).await.status, StatusCode::OK);
    }
    assert!(ring.snapshot().iter().any(|(name, count)| name == "key_1_limited" && *count >= 2));
}

#[tokio::test]
async fn bytes_are_paid_for_once_they_have_come() {
    let secret = secret();
    let slow = IngestKey { byte_rate: Some(10), ..key(1, "a", "*", &secret) };
    let (server, ..) = knowing(vec![slow]).await;
    let bearer = format!("Bearer {}", secret.reveal());
    let headers = [("authorization", &*bearer), ("content-type", JSON)];
    let body = format!("{{}}{}", " ".repeat(1000));
    assert_eq!(server.post("/v1/logs", &headers, body).await.status, StatusCode::OK);
    let answer = server.post("/v1/logs", &headers, "{}").await;
    assert_eq!(answer.status.as_u16(), 429);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((80..=105).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn an_open_door_asks_for_nothing_and_a_closed_one_may_leave_ingest_open() {
    let secret = secret();
    let ring = Arc::new(Keys::new(Door::default(), Arc::default(), true));
    let server = Setup { keys: Some(ring.clone()), ..Setup::default() }.start().await;
    assert_eq!(report(&server, "shop", &[("api-key", "anything")]).await.status, StatusCode::OK);
    ring.replace(vec![key(1, "a", "shop", &secret)]);
    assert_eq!(report(&server, "crm", &[]).await.status, StatusCode::OK);
    // Who shows a key is held to it.
    assert_eq!(report(&server, "crm", &[("api-key", secret.reveal())]).await.status.as_u16(), 403);
    assert_eq!(report(&server, "crm", &[("api-key", "anything")]).await.status.as_u16(), 401);
}

/// Sentry: an API token was good outside its scope, and its logs could not tell which token a request had come with.
#[tokio::test]
async fn cve_sentry_token_outside_its_scope_is_refused_and_requests_name_their_key() {
    let (ours, theirs) = (secret(), secret());
    let (server, ..) = knowing(vec![key(1, "a", "shop", &ours), key(2, "b", "crm", &theirs)]).await;
    let send = async |secret: &Secret, service: &str| {
        let bearer = format!("Bearer {}", secret.reveal());
        let headers = [("authorization", &*bearer), ("content-type", PROTOBUF)];
        server.post("/v1/traces", &headers, named(service)).await.status.as_u16()
    };
    assert_eq!((send(&ours, "shop").await, send(&theirs, "crm").await), (200, 200));
    assert_eq!((send(&ours, "crm").await, send(&theirs, "shop").await), (403, 403));
    let ids: Vec<u64> = server.kept().iter().map(|record| record.key_id).collect();
    assert_eq!(ids, [1, 2]);
    // An API token or a session opens no door of telemetry, whatever may be behind it.
    for kind in [Kind::ApiToken, Kind::Session, Kind::Invitation] {
        assert_eq!(send(&Secret::mint(kind).unwrap(), "shop").await, 401);
    }
}

/// OpenObserve CVE-2026-126065: an empty external password was equal to one that was not there.
#[tokio::test]
async fn cve_2026_126065_an_empty_key_is_none() {
    let (server, ..) = knowing(vec![key(1, "a", "*", &secret())]).await;
    for headers in [
        &[("authorization", "")][..],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer")],
        &[("api-key", "")],
        &[("authorization", "Bearer sw_ing_")],
        &[("authorization", "Bearer null")],
    ] {
        assert_eq!(report(&server, "shop", headers).await.status.as_u16(), 401, "{headers:?}");
    }
}
