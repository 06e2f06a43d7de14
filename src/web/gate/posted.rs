//! What a form sends. Beside its fields, one that somebody fills in who is known carries a token of their session,
//! which no other site can know.

use axum::Form;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::who::{Means, Who};
use crate::web::State;
use crate::web::page;

/// A form's fields, from the session that they were shown to.
#[derive(Debug)]
pub struct Posted<T>(pub T);

/// Fields of a form that is filled in before anybody is known: that it was sent from a page of ours was checked
/// already, and there is no session whose rights it could use.
#[derive(Debug)]
pub struct Stranger<T>(pub T);

#[derive(Deserialize)]
struct Signed<T> {
    #[serde(default)]
    token: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned> FromRequest<State> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Posted<T>, Response> {
        let who = request.extensions().get::<Who>().cloned();
        let signed: Signed<T> = read(request, state).await?;
        let is_theirs = |who: &Who| {
            matches!(who.means, Means::Token(_))
                || state.access.signer.is_form_token(&who.form_key(), &signed.token)
        };
        match who {
            Some(who) if is_theirs(&who) => Ok(Posted(signed.fields)),
            _ => Err(page::sorry(
                StatusCode::FORBIDDEN,
                "Not any more",
                "This form is of another session: you have signed in again since. Open the page anew and send it from there.".into(),
            )),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<State> for Stranger<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Stranger<T>, Response> {
        read(request, state).await.map(Stranger)
    }
}

/// A whole number as a form sends it: text, which beside other fields is not read as a number. Nothing is 0.
///
/// # Errors
/// What else is there.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    match String::deserialize(from)?.trim() {
        "" => Ok(0),
        text => text.parse().map_err(serde::de::Error::custom),
    }
}

async fn read<T: DeserializeOwned>(request: Request, state: &State) -> Result<T, Response> {
    let read = Form::<T>::from_request(request, state).await;
    let unread = || {
        let what = "The form cannot be read. Open its page anew and send it from there.";
        page::Error::BadParameter(what.into()).into_response()
    };
    read.map(|Form(fields)| fields).map_err(|_| unread())
}
