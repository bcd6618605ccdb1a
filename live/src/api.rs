//! The requests of the page and of other clients.

use crate::app::App;
use crate::error::say;
use crate::refusal::Refusal;
use crate::stream::{self, Refused};
use crate::token::Subscriber;
use crate::{metrics, page};
use axum::Router;
use axum::body::{self, Body};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Most rows of one reply.
const MOST_ROWS: i32 = 500;
/// The largest request.
const MOST_BYTES: usize = 1024;
/// It must be complete by then.
const BODY_LIMIT: Duration = Duration::from_secs(5);

type Shared = State<Arc<App>>;

/// All there is to ask for.
pub fn routes(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/api/signals", get(signals))
        .route("/api/signals/{signal_id}", post(mark))
        .route("/api/stream", get(stream))
        .route("/api/health", get(health))
        .fallback(|| async { reply(StatusCode::NOT_FOUND, "there is no such address") })
        .layer(middleware::from_fn(forbid_storing));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(numbers))
        .merge(page::routes())
        .merge(api)
        .method_not_allowed_fallback(|| async {
            reply(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        })
        .layer(middleware::from_fn(protect))
        .with_state(app)
}

async fn forbid_storing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What browsers are told about everything that comes from here.
async fn protect(request: Request, next: Next) -> Response {
    const TOLD: [(header::HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let mut response = next.run(request).await;
    for (name, value) in TOLD {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A reply other than what was asked for.
fn reply(status: StatusCode, error: &str) -> Response {
    let body = json!({ "error": error }).to_string();
    (status, json_headers(), body).into_response()
}

fn json_headers() -> [(header::HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, "application/json")]
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(words) => reply(StatusCode::BAD_REQUEST, &words),
            Self::Missing => reply(StatusCode::NOT_FOUND, "there is no such signal"),
            // The rest is for the operator: it may tell of things that are not the client's.
            Self::Failed(words) => {
                say(format!("the database refuses: {words}"));
                reply(StatusCode::SERVICE_UNAVAILABLE, "the database refuses")
            }
            Self::Busy => reply(StatusCode::SERVICE_UNAVAILABLE, "busy, try again"),
            // The operator is told by those who ask all the time.
            Self::Away(_) => reply(StatusCode::SERVICE_UNAVAILABLE, "the database is away"),
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        Self::Invalid(error.body_text())
    }
}

impl From<PathRejection> for Refusal {
    fn from(error: PathRejection) -> Self {
        Self::Invalid(error.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Database(refusal) => refusal.into_response(),
            Self::Full => reply(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are too many clients",
            ),
        }
    }
}

/// The token of a request, checked.
impl FromRequestParts<Arc<App>> for Subscriber {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let given = parts.headers.get(header::AUTHORIZATION);
        let token = given
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let checked = token
            .ok_or_else(|| "there is no token".to_owned())
            .and_then(|token| app.keys.check(token));
        checked.map_err(|why| {
            let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
            (scheme, reply(StatusCode::UNAUTHORIZED, &why)).into_response()
        })
    }
}

#[derive(Deserialize)]
struct Since {
    since: Option<String>,
    limit: Option<i32>,
}

async fn signals(
    State(app): Shared,
    subscriber: Subscriber,
    query: Result<Query<Since>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Since { since, limit }) = query?;
    let limit = limit.unwrap_or(MOST_ROWS);
    if !(1..=MOST_ROWS).contains(&limit) {
        return Err(Refusal::Invalid(format!("limit must be 1 to {MOST_ROWS}")));
    }
    let page = app
        .database
        .signals_since(&subscriber, since.as_deref(), limit)
        .await?;
    let mut body = b"{\"signals\":[".to_vec();
    for (number, row) in page.rows().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        row.write_signal(&mut body);
    }
    let time = app.health.borrow().server_time();
    body.extend_from_slice(
        format!(
            "],\"watermark\":\"{}\",\"more\":{},\"server_time\":\"{time}\"}}",
            page.watermark, page.more
        )
        .as_bytes(),
    );
    Ok((json_headers(), body).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    viewed: Option<bool>,
    clicked: Option<bool>,
}

async fn mark(
    State(app): Shared,
    subscriber: Subscriber,
    path: Result<Path<i64>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Path(signal_id) = path?;
    let body = match tokio::time::timeout(BODY_LIMIT, body::to_bytes(body, MOST_BYTES)).await {
        Err(_) => return Ok(reply(StatusCode::REQUEST_TIMEOUT, "the body does not come")),
        Ok(Err(_)) => return Ok(reply(StatusCode::PAYLOAD_TOO_LARGE, "that is too much")),
        Ok(Ok(body)) => body,
    };
    let marks: Marks = serde_json::from_slice(&body)
        .map_err(|error| Refusal::Invalid(format!("not what can be marked: {error}")))?;
    let marked = app
        .database
        .mark(&subscriber, signal_id, marks.viewed, marks.clicked)
        .await?;
    Ok((json_headers(), marked).into_response())
}

async fn stream(
    State(app): Shared,
    subscriber: Subscriber,
    query: Result<Query<Since>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let Query(Since { since, .. }) = query.map_err(|error| Refused::Database(error.into()))?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let since = since.or(last).filter(|since| !since.is_empty());
    let events = stream::open(app, subscriber, since).await?;
    let told = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // nginx would collect events otherwise.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((told, Body::from_stream(events)).into_response())
}

async fn health(State(app): Shared, _: Subscriber) -> Response {
    let health = Arc::clone(&app.health.borrow());
    (json_headers(), health.json()).into_response()
}

async fn healthz(State(app): Shared) -> Response {
    let is_well = app.is_well();
    let body = json!({
        "status": if is_well { "ok" } else { "failing" },
        "replication": *app.replication_is.borrow(),
        "database": *app.database_is.borrow(),
    });
    let status = match is_well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, json_headers(), body.to_string()).into_response()
}

async fn numbers(State(app): Shared) -> Response {
    let told = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (
        told,
        metrics::text(&app.metrics, &app.fan_out, app.is_replicating()),
    )
        .into_response()
}
