//! `/live`: one event whenever something that pages show has changed. Each stream ends with the server.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;

use super::State;

/// The stream. A slow reader sees the latest change only: nothing queues up behind it.
pub async fn stream(Extract(state): Extract<State>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes =
        WatchStream::new(state.live).map(|n| Ok(Event::default().event("change").data(n.to_string())));
    let until_stopped = changes.take_until(state.stop.cancelled_owned());
    Sse::new(until_stopped).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
