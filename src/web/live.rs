//! `/live`: one event whenever something that pages show has changed. Each stream ends with the server, and with the
//! right to see it: who signed out or was shut out hears no more.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;

use super::State;
use super::gate::who;

/// How often a stream is looked at when nothing about people has changed: sessions expire without a word.
const LOOK: Duration = Duration::from_secs(30);

/// The stream. A slow reader sees the latest change only: nothing queues up behind it.
pub async fn stream(
    Extract(state): Extract<State>,
    asked: Parts,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let shut_out = shut_out(state.clone(), asked);
    let changes =
        WatchStream::new(state.live).map(|n| Ok(Event::default().event("change").data(n.to_string())));
    let until_stopped = changes.take_until(state.stop.cancelled_owned()).take_until(Box::pin(shut_out));
    Sse::new(until_stopped).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

/// Ends when who asked may not ask any more.
async fn shut_out(state: State, asked: Parts) {
    let mut changes = state.access.changes.clone();
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, changes.changed()).await {
            // Nobody watches any more: the server stops.
            return;
        }
        match who::asks(&state, &asked.headers, &asked.extensions).await {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}
