//! Serves the sample fleet to look at.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::sample;
use crate::alert::incident::Severity;
use crate::store::mail::MailState;
use crate::store::{Settings as StoreSettings, Store};
use crate::web::{MailInfo, OPEN_TO_ALL, RuleView, RulesView, Settings, State, router};

#[tokio::test]
#[ignore = "serves until killed"]
async fn serve() {
    let store = Store::open(StoreSettings { folder: "/tmp".into() }).await.unwrap();
    {
        let mut held = store.held.lock().unwrap();
        held.part = sample::fleet();
        held.incidents = sample::incidents();
        held.mails = vec![sample::mail("m1", MailState::Sent), sample::mail("m2", MailState::Deferred)];
        held.watermark = 48_211;
    }
    let rule = |id: &str, title: &str, signal: &str| RuleView {
        id: id.into(),
        title: title.into(),
        severity: Severity::Critical,
        runbook: format!("{id}.md"),
        signal: signal.into(),
    };
    let rules = RulesView {
        rules: vec![
            rule("success-rate-low", "{peer} {endpoint} success rate", "call.success_rate"),
            rule("queue-behind", "{queue} is behind", "queue.oldest_age"),
        ],
        runbooks: [(
            "success-rate-low".to_owned(),
            "# Success rate low\n\nWhat it means: operations of one endpoint end badly.\n\n## First look (2 minutes)\n\n1. Open the integration's page and read *What fails*.\n2. If it is `auth`, look at the credentials panel.\n\n## Fix\n\n| class | do |\n|---|---|\n| auth | reconnect as the **service user** |\n| server | wait, then replay |\n\n```\nseamwatch check --alerts alerts\n```\n".to_owned(),
        )]
        .into(),
        problems: vec!["alerts/queue-behind.toml:14:11 `> 15 mins` is not a duration; write `> 15 min`.".into()],
        loaded_at: sample::NOW - 48 * 60_000_000_000,
    };
    let (_keep, rules) = watch::channel(Arc::new(rules));
    let (_tick, live) = watch::channel(0);
    let state = State {
        store,
        clock: Arc::new(|| sample::NOW),
        rules,
        counters: Arc::new(|| {
            [("accepted_spans", 5_100_321), ("accepted_points", 12_044), ("accepted_logs", 0), ("rejected_spans", 3), ("refused_bad_gzip", 2), ("duplicates", 14), ("late", 0), ("lag_ms", 412)]
                .map(|(name, value)| (name.to_owned(), value))
                .into()
        }),
        live,
        stop: CancellationToken::new(),
        mail: MailInfo { transport: "file".into(), folder: Some("data/mail".into()) },
        settings: Arc::new(Settings {
            notices: vec![OPEN_TO_ALL.into()],
            otlp_http: "127.0.0.1:4318".into(),
            ..Settings::default()
        }),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:4499").await.unwrap();
    axum::serve(listener, router(state)).await.unwrap();
}
