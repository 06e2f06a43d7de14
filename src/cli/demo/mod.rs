//! The demo's actors: six simulated integrations that send real OTLP over real sockets, a day of healthy history,
//! and a story in real time. Nothing here touches the server but through its doors.

pub mod rng;
pub mod fleet;
pub mod credentials;
pub mod traffic;
pub mod schedule;
pub mod post;
pub mod history;
pub mod story;
pub mod play;
pub mod rules;
pub mod run;
