//! The requests of the page, of other clients and of operators.

mod live;
mod operating;
mod page;
mod reply;
mod signals;
mod subscriber;

use crate::app::App;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use reply::error;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// All addresses.
pub fn routes(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/api/signals", get(signals::read))
        .route("/api/signals/{signal_id}", post(signals::mark))
        .route("/api/stream", get(live::stream))
        .route("/api/health", get(live::health))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "there is no such address") })
        .layer(middleware::from_fn(forbid_storing));
    Router::new()
        .route("/healthz", get(operating::healthz))
        .route("/metrics", get(operating::metrics))
        .merge(page::routes())
        .merge(api)
        .method_not_allowed_fallback(|| async {
            error(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address does not take this method",
            )
        })
        .layer(middleware::from_fn(check_host))
        .layer(middleware::from_fn(protect))
        .with_state(app)
}

async fn forbid_storing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Refuses requests that a proxy in front may have understood in another way: HTTP/1.1 demands
/// exactly one Host.
async fn check_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        return error(
            StatusCode::BAD_REQUEST,
            "the request must have exactly one Host",
        );
    }
    next.run(request).await
}

/// Adds what protects browsers to every reply.
async fn protect(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
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
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
