//! Whose request it is, by its token.

use super::reply::error;
use crate::app::App;
use crate::auth::{Claimant, Keys, Subscriber};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

impl FromRequestParts<Arc<App>> for Subscriber {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        checked(parts, app, Keys::check).map_err(unknown)
    }
}

impl FromRequestParts<Arc<App>> for Claimant {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        checked(parts, app, Keys::check_role).map_err(unknown)
    }
}

fn checked<T>(
    parts: &Parts,
    app: &App,
    check: impl Fn(&Keys, &str) -> Result<T, String>,
) -> Result<T, String> {
    let given = parts.headers.get(header::AUTHORIZATION);
    let token = given
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let token = token.ok_or_else(|| "there is no token".to_owned())?;
    check(&app.keys, token)
}

fn unknown(why: String) -> Response {
    let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
    (scheme, error(StatusCode::UNAUTHORIZED, &why)).into_response()
}
