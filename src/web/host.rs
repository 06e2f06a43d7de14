//! Which names this server answers to.
//!
//! It is open to everyone on this machine, and so to every page that a browser on it shows: a site whose name is made
//! to resolve to a loopback address could read all pages as its own. Such a request says the site's name in `Host`.

use std::net::IpAddr;

use axum::extract::{Request, State as Extract};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::State;
use super::api::Problem;
use super::asked::is_api;
use super::page;

/// Lets through what asks for a name of ours.
pub async fn only_ours(Extract(state): Extract<State>, request: Request, next: Next) -> Response {
    let said = match (request.headers().get(header::HOST), request.uri().authority()) {
        (Some(host), _) => host.to_str().unwrap_or("(not text)"),
        (None, Some(authority)) => authority.as_str(),
        // No browser leaves it out.
        (None, None) => return next.run(request).await,
    };
    if is_ours(said, &state.settings.public_host) {
        return next.run(request).await;
    }
    let what = format!(
        "This server answers to localhost and to the host of public_url, and not to {said}. If people reach it under \
         this name, set public_url."
    );
    match is_api(request.uri()) {
        true => Problem::misdirected(what).into_response(),
        false => page::sorry(StatusCode::MISDIRECTED_REQUEST, "Not this name", what),
    }
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`; `public` is empty where people reach it at its address.
fn is_ours(said: &str, public: &str) -> bool {
    let Ok(authority) = said.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
        || host.eq_ignore_ascii_case("localhost")
        || (!public.is_empty() && host.eq_ignore_ascii_case(public))
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn loopback_and_the_public_host_are_ours() {
        for ours in
            ["localhost", "LOCALHOST:4380", "127.0.0.1:4380", "127.9.9.9", "[::1]:4380", "Seam.example:443"]
        {
            assert!(is_ours(ours, "seam.example"), "{ours}");
        }
        for other in
            ["evil.com", "evil.com:4380", "localhost.evil.com", "10.0.0.1", "", "127.0.0.1.evil.com", "a b"]
        {
            assert!(!is_ours(other, "seam.example"), "{other}");
            assert!(!is_ours(other, ""), "{other}");
        }
    }
}
