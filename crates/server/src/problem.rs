//! Refusals and failures as `application/problem+json` (RFC 9457): [`Problem`].

use std::ops::Range;
use std::time::Duration;

use api::PROBLEM_JSON;
use api::problem::Candidate;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use model::access::Act;

/// Why a request was not answered as it was meant. `type` is `urn:muster:<code>`: programs match on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    code: &'static str,
    status: StatusCode,
    body: Box<api::Problem>,
    retry_after: Option<Duration>,
}

// === impl Problem ===

impl Problem {
    /// A problem of the kind `code` (snake_case, never changed once published); `title` is one short sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Self {
        let title = title.into();
        let body = api::Problem {
            kind: format!("urn:muster:{code}"),
            detail: title.clone(),
            title,
            status: status.as_u16(),
            ..api::Problem::default()
        };
        Self { code, status, body: Box::new(body), retry_after: None }
    }

    /// What exactly happened, for this request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.body.detail = detail.into();
        self
    }

    /// What went wrong on the way to Proxmox.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<api::Cause>) -> Self {
        self.body.cause = Some(cause.into());
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.body.remedy = Some(remedy.into());
        self
    }

    /// Where in a query it lies, in bytes.
    #[must_use]
    pub fn at(mut self, at: Range<usize>) -> Self {
        self.body.at = Some(at.into());
        self
    }

    /// What may have been meant.
    #[must_use]
    pub fn candidates(mut self, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        self.body.candidates = candidates.into_iter().collect();
        self
    }

    /// When it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The status it is sent with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its kind, without the `urn:muster:` before it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence that says it.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.body.detail
    }

    /// As it stands in an answer about several things.
    pub(crate) fn told(self) -> api::Problem {
        *self.body
    }

    // --- the common ones ---

    /// 404: there is no such `what`, or the caller may not see it; the two are never told apart.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
    }

    /// 401: nobody is signed in.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_signed_in", "Sign in first.")
            .remedy("Sign in, or send an API token as “Authorization: Bearer …”.")
    }

    /// 403: seen, but not allowed.
    #[must_use]
    pub fn forbidden(act: Act) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_allowed", "You are not allowed to do this.")
            .detail(format!("This takes the role {} (for “{act}”).", act.least()))
            .remedy("Ask an administrator for the role.")
    }

    /// 405: what is there does not take this method.
    #[must_use]
    pub fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong_method",
            "What is there does not take this method; “Allow” says which it takes.",
        )
    }

    /// 409: it does not go with how things stand.
    #[must_use]
    pub fn conflict(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, title)
    }

    /// 422: understood, and wrong.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request does not make sense.")
            .detail(detail)
    }

    /// 400: not readable as what it should be.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request could not be read.").detail(detail)
    }

    /// 500: a fault of ours. What it was belongs into the log, not here.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "A fault inside Muster; its log says more.")
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"muster\""));
        }
        response.extensions_mut().insert(Outcome { code: self.code });
        response
    }
}

/// Rides along on a response, so that what counts and records need not read the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// The problem's code.
    pub(crate) code: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_type_title_status_and_nothing_that_is_not_there() {
        let json = serde_json::to_value(&Problem::not_found("remote").body).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:muster:not_found", "title": "There is no such remote.", "status": 404,
                "detail": "There is no such remote."
            })
        );
    }

    #[test]
    fn rounds_the_time_to_wait_up() {
        let answer = Problem::internal().retry_after(Duration::from_millis(2100)).into_response();
        assert_eq!(answer.headers()[header::RETRY_AFTER], "3");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    }
}
