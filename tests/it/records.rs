//! The record ledger, through the real server: hops in, a funnel and the keys that stopped out, and the same after a
//! crash.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

use crate::support::home::Home;
use crate::support::otlp::{self, MINUTE};
use crate::support::server::Server;
use crate::support::{A_TICK, SOON, wait_until};

/// One hop, told so many minutes ago.
fn hop(record: &str, hop: &str, ago: u64, trace: u8) -> ExportLogsServiceRequest {
    let pairs = [
        ("integration.record.key_hash", record),
        ("integration.record.hop", hop),
        ("integration.entity", "order"),
    ];
    let mut request = otlp::event("shop", "integration.record", &pairs);
    let logs = request.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
    for log in logs.flat_map(|scope| &mut scope.log_records) {
        log.time_unix_nano = otlp::now() - ago * MINUTE;
        log.trace_id = vec![trace; 16];
    }
    request
}

/// What the page says of the records: their table, and no other.
fn funnel(server: &Server, processed: &str) -> String {
    let cell = format!("data-l=\"processed\">{processed}<");
    wait_until("the funnel", SOON, || {
        let page = server.get("/integrations/shop").text();
        let table = page.split("Records of the last day").nth(1)?.split("</table>").next()?.to_owned();
        table.contains(&cell).then_some(table)
    })
}

#[test]
fn a_record_that_stopped_is_listed_by_key_age_and_trace_and_so_after_a_crash() {
    let home = Home::new();
    let server = home.start();
    let send = |server: &Server, request| server.export("/v1/logs", &request);
    for (record, ago) in [("9f-one", 50), ("9f-two", 40), ("9f-three", 30)] {
        for one in ["received", "processed"] {
            send(&server, hop(record, one, ago, 0xab));
        }
        if record != "9f-three" {
            send(&server, hop(record, "written", ago, 0xcd));
        }
    }
    // On its way still.
    send(&server, hop("9f-four", "received", 1, 0xef));
    let check = |table: &str, stopped: bool| {
        let written = if stopped { 2 } else { 3 };
        let counts = [("received", 4), ("queued", 0), ("processed", 3), ("written", written)];
        for (hop, count) in counts {
            assert!(table.contains(&format!("data-l=\"{hop}\">{count}<")), "no {count} {hop} in {table}");
        }
        assert!(table.contains("all records are kept, up to 200 hops a minute"), "{table}");
        assert_eq!(table.contains("9f-three</a> came to processed"), stopped, "{table}");
        assert_eq!(table.contains(&format!("/api/v1/traces/{}", "ab".repeat(16))), stopped, "{table}");
        assert_eq!(table.contains(" min ago"), stopped, "{table}");
        assert!(["9f-one", "9f-two", "9f-four"].iter().all(|record| !table.contains(record)), "{table}");
    };
    check(&funnel(&server, "3"), true);
    server.signal("KILL");
    drop(server);

    let server = home.start();
    check(&funnel(&server, "3"), true);
    let unconfirmed = |wanted: f64| {
        wait_until("the signal", A_TICK, || {
            let answer = server.json("/api/v1/signals?integration=shop&signal=ledger.unconfirmed");
            let item = answer["items"].get(0)?.clone();
            (item["value"] == wanted).then_some(item)
        })
    };
    let item = unconfirmed(1.0);
    assert_eq!(item["labels"]["entity"], "order");
    assert!(item["why"].as_str().unwrap().starts_with("not written within 15 min"), "{item}");
    // What is sent again counts once, and what arrives late is no longer missing.
    send(&server, hop("9f-one", "received", 2, 0xab));
    send(&server, hop("9f-three", "written", 2, 0xcd));
    wait_until("the record that came late", SOON, || {
        let page = server.get("/integrations/shop").text();
        page.contains("data-l=\"written\">3<").then_some(())
    });
    check(&funnel(&server, "3"), false);
}
