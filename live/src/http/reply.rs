//! Replies in JSON, and what clients get instead of what they asked for.

use crate::database::Refusal;
use crate::stream::Refused;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::{debug, warn};

/// A reply other than what was asked for.
pub fn error(status: StatusCode, message: &str) -> Response {
    let body = json!({ "error": message }).to_string();
    (status, json_headers(), body).into_response()
}

pub fn json_headers() -> [(HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, "application/json")]
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let unavailable = |message| error(StatusCode::SERVICE_UNAVAILABLE, message);
        match self {
            Self::Invalid(words) => error(StatusCode::BAD_REQUEST, &words),
            Self::Rejected(words) => {
                debug!("the database rejects a value: {words}");
                error(
                    StatusCode::BAD_REQUEST,
                    "the database does not accept a value of this request",
                )
            }
            Self::Forbidden(words) => {
                debug!("the database forbids it: {words}");
                error(
                    StatusCode::FORBIDDEN,
                    "the role of this token may not do that",
                )
            }
            Self::Undone(words) => error(StatusCode::CONFLICT, &words),
            Self::Missing => error(
                StatusCode::NOT_FOUND,
                "there is no such row of this subscriber",
            ),
            // The words are for the operator: they may be about others than this client.
            Self::Failed(words) => {
                warn!("the database refuses: {words}");
                unavailable("the database refuses")
            }
            Self::Busy => unavailable("busy, try again"),
            // The monitor reports it to the operator.
            Self::Away(_) => unavailable("the database does not answer"),
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(_: QueryRejection) -> Self {
        Self::Invalid("the part of the address after ? cannot be read".to_owned())
    }
}

impl From<PathRejection> for Refusal {
    fn from(_: PathRejection) -> Self {
        Self::Invalid("the address must end in the number of a signal".to_owned())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Database(refusal) => refusal.into_response(),
            Self::Full(full) => error(StatusCode::SERVICE_UNAVAILABLE, &full.to_string()),
        }
    }
}
