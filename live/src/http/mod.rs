//! The requests of the page, of other clients and of operators.

mod live;
mod operating;
mod operators;
mod own;
mod page;
mod push;
mod record;
mod reply;
mod signals;
mod subscriber;

use crate::app::App;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use reply::error;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// All addresses.
pub fn routes(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/api/signals", get(signals::read))
        .route("/api/signals/{signal_id}", post(signals::mark))
        .route("/api/signals/{signal_id}/path", get(signals::path))
        .route("/api/stream", get(live::stream))
        .route("/api/track-record", get(record::read))
        .route("/api/health", get(live::health))
        .route("/api/page", get(operating::page))
        .route("/api/operator", get(operators::look))
        .route("/api/operator/record", get(operators::record))
        .route("/api/operator/preview", post(operators::preview))
        .route("/api/operator/run", post(operators::run))
        .route("/api/operator/pause", post(operators::pause))
        .route("/api/operator/resume", post(operators::resume))
        .route("/api/status", get(own::status))
        .route("/api/preferences", get(own::read).put(own::write))
        .route("/api/push", put(push::store).delete(push::delete))
        .route("/api/push/moved", post(push::moved))
        .route("/api/visible", post(push::view))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "there is no such address") });
    Router::new()
        .route("/healthz", get(operating::healthz))
        .route("/livez", get(operating::livez))
        .route("/readyz", get(operating::readyz))
        .route("/metrics", get(operating::metrics))
        .merge(page::routes())
        .merge(api)
        .method_not_allowed_fallback(|| async {
            error(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address does not take this method",
            )
        })
        .layer(middleware::from_fn(check_repeated))
        .layer(middleware::from_fn_with_state(policy(&app), protect))
        .with_state(app)
}

/// Refuses requests that a proxy in front may have understood in another way.
async fn check_repeated(request: Request, next: Next) -> Response {
    match ambiguity(&request) {
        Some(why) => error(StatusCode::BAD_REQUEST, why),
        None => next.run(request).await,
    }
}

/// HTTP/1.1 demands exactly one Host. Of several tokens or resume points, the proxy may have looked at
/// another one.
fn ambiguity(request: &Request) -> Option<&'static str> {
    let count = |name: HeaderName| request.headers().get_all(name).iter().count();
    let hosts = count(header::HOST);
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        return Some("the request must have exactly one Host");
    }
    if count(header::AUTHORIZATION) > 1 || count(HeaderName::from_static("last-event-id")) > 1 {
        return Some("the request must not have two of Authorization or of Last-Event-ID");
    }
    None
}

/// What browsers may do with a reply that no page may show in a frame.
const UNFRAMED: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What browsers may do with a reply. Only pages that the operator names may show it in a frame.
fn policy(app: &App) -> HeaderValue {
    let ancestors = app.options.session.frame_ancestors();
    let policy = UNFRAMED.replace(
        "frame-ancestors 'none'",
        &format!("frame-ancestors {ancestors}"),
    );
    // It fails for none of the letters that an origin may have.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(UNFRAMED))
}

/// Adds what protects browsers to every reply. None may be kept by anybody on the way, unless it says
/// otherwise: an old answer of `/healthz` would hide a failure.
async fn protect(State(policy): State<HeaderValue>, request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(policy);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
