//! axum's extractors, with [`Problem`] as their refusal.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::problem::Problem;

/// A JSON body, in or out. One that comes in says nothing that would be passed over.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

/// The query string, of which nothing is passed over either.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

/// What the path names.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(Whole { value, unknown: None })) => Ok(Self(value)),
            Ok(axum::Json(Whole { unknown: Some(field), .. })) => Err(unknown_field(&field)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::invalid(readable(&error.body_text()))),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::malformed("The body must be JSON, sent with “Content-Type: application/json”."))
            }
            Err(other) => Err(Problem::malformed(readable(&other.body_text()))),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(Whole { value, unknown: None })) => Ok(Self(value)),
            Ok(axum::extract::Query(Whole { unknown: Some(name), .. })) => {
                Err(Problem::malformed(format!("There is no parameter “{name}” here."))
                    .remedy("Leave it out, or look for its right name in /api/v1/openapi.json."))
            }
            Err(error) => Err(Problem::malformed(readable(&error.body_text()))),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            // What is not even of the form of such a name surely is not there.
            .map_err(|_| Problem::not_found("thing"))
    }
}

/// What was said, and the first part of it that means nothing.
struct Whole<T> {
    value: T,
    unknown: Option<String>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut unknown = None;
        let value = serde_ignored::deserialize(from, |path| {
            // What may be left out stands in the path as a question mark of its own.
            unknown.get_or_insert_with(|| path.to_string().replace("?.", ""));
        })?;
        Ok(Self { value, unknown })
    }
}

/// A value as what it must be, with nothing in it that would be passed over.
///
/// # Errors
/// 422, with what does not fit.
pub(crate) fn whole<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    match serde_json::from_value(value) {
        Ok(Whole { value, unknown: None }) => Ok(value),
        Ok(Whole { unknown: Some(field), .. }) => Err(unknown_field(&field)),
        Err(error) => Err(Problem::invalid(format!("{error}."))),
    }
}

fn unknown_field(field: &str) -> Problem {
    Problem::invalid(format!("There is no field “{field}” here."))
        .remedy("Leave it out, or look for its right name in /api/v1/openapi.json.")
}

/// The library's own heads add nothing to what follows them.
fn readable(text: &str) -> String {
    let tail = text.split_once(": ").map_or(text, |(_, tail)| tail);
    tail.to_owned()
}
