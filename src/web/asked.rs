//! What a request asks for: its query and the name in its path. What cannot be read is said on a page, or as a
//! problem where the API was asked.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::api::Problem;
use super::page::Error;

/// A query. A parameter without a value is the same as none.
#[derive(Debug)]
pub struct Asked<T>(pub T);

/// The one name in a path.
#[derive(Debug)]
pub struct Named(pub String);

/// What cannot be read, as a sentence.
#[derive(Debug)]
pub struct Unread {
    of_api: bool,
    what: &'static str,
}

impl Unread {
    fn new(parts: &Parts, what: &'static str) -> Unread {
        Unread { of_api: is_api(&parts.uri), what }
    }
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        if self.of_api {
            Problem::parameter(self.what).into_response()
        } else {
            Error::BadParameter(self.what.into()).into_response()
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Unread;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Unread> {
        let unread =
            || Unread::new(parts, "The query cannot be read. Give each parameter once, percent-encoded.");
        let given = with_values(parts.uri.query().unwrap_or_default());
        let uri = Uri::try_from(format!("/?{given}")).map_err(|_| unread())?;
        Query::<T>::try_from_uri(&uri).map(|Query(asked)| Asked(asked)).map_err(|_| unread())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Unread;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Unread> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Named(name)),
            Err(_) => Err(Unread::new(parts, "The name in the path is not UTF-8 once percent-decoded.")),
        }
    }
}

/// Whether a path is the API's.
pub fn is_api(uri: &Uri) -> bool {
    uri.path().starts_with("/api/")
}

fn with_values(query: &str) -> String {
    let has_value = |pair: &&str| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty());
    query.split('&').filter(has_value).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_without_a_value_is_none() {
        assert_eq!(with_values("a=&b=2&c&&=&d=%20"), "b=2&d=%20");
        assert_eq!(with_values(""), "");
    }
}
