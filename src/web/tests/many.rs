//! Three hundred integrations on one page: each has its own figures, and a view costs one pass.

use std::time::Instant;

use axum::http::StatusCode;

use super::face::server;
use super::sample::NOW;
use crate::decode::Batch;
use crate::rollup::window::MINUTE;
use crate::signals::call::Class;
use crate::signals::observation::{
    Call, CallKey, Direction, IntegrationInfo, IntegrationKey, Observations, Source,
};

const MANY: u32 = 300;

/// Two calls an integration in each of ten minutes; of one integration in seven the second fails.
fn batch() -> Batch {
    let mut seen = Observations::default();
    for n in 0..MANY {
        let key = IntegrationKey { environment: "production".into(), name: format!("s-{n:03}").into() };
        seen.integrations.push(IntegrationInfo {
            key: key.clone(),
            source: String::new(),
            destination: String::new(),
            owner: String::new(),
            tier: String::new(),
            version: String::new(),
        });
        seen.series.push(CallKey {
            integration: key,
            direction: Direction::Outbound,
            peer: "api.example.com".into(),
            endpoint: "GET /v1/things".into(),
            source: Source::Span,
        });
        for at in 0..20u64 {
            let class = if at % 2 == 1 && n.is_multiple_of(7) { Class::Server } else { Class::Ok };
            seen.calls.push(Call::plain(n, NOW - (at / 2) as i64 * MINUTE, 40_000, class, at));
        }
    }
    Batch { received_at: NOW, observations: seen, ..Batch::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own_figures_however_many_there_are() {
    let server = server().await;
    server.state.store.absorb(1, batch());
    server.state.store.flush(&[], NOW).await.unwrap();
    // The same again, above what the first view reads from the catalog.
    for view in 1..=3 {
        let started = Instant::now();
        let (status, _, body) = server.get("/").await;
        println!("view {view}: {:?}, {} bytes", started.elapsed(), body.len());
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body.matches("class=\"name cover\"").count(), MANY as usize);
        assert!(body.contains(&format!("{},000 calls in 24 hours", 6 * view)), "view {view}");
        let (_, all) = server.json("/api/v1/integrations").await;
        let items = all["items"].as_array().unwrap();
        assert_eq!(items.len(), MANY as usize);
        for item in items {
            let n: u32 = item["name"].as_str().unwrap().trim_start_matches("s-").parse().unwrap();
            let rate = if n.is_multiple_of(7) { 0.5 } else { 1.0 };
            assert_eq!(
                (&item["success_rate"], &item["calls"]),
                (&rate.into(), &(20 * view).into()),
                "{item}"
            );
        }
        server.state.store.absorb(1 + view, batch());
        if view == 2 {
            server.state.store.flush(&[], NOW).await.unwrap();
        }
    }
}
