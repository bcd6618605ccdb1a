//! The page. Its files are part of the program.

use super::UNFRAMED;
use crate::app::App;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ring::digest::{SHA256, digest};
use std::fmt::Write;
use std::sync::Arc;

/// Name and contents of each file of `page/`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// An address for each file; / is index.html.
pub fn routes() -> Router<Arc<App>> {
    FILES.iter().fold(Router::new(), |router, (name, bytes)| {
        let tag = tag(bytes);
        let file = get(move |headers: HeaderMap| async move { serve(name, bytes, &tag, &headers) });
        match *name {
            "index.html" => router.route("/", file.clone()).route("/index.html", file),
            name => router.route(&format!("/{name}"), file),
        }
    })
}

fn serve(name: &str, bytes: &'static [u8], tag: &str, request: &HeaderMap) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type(name)),
        // The browser asks each time, and is mostly answered that its copy is current.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, tag),
    ];
    let known = request.get(header::IF_NONE_MATCH);
    let mut response = if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, bytes).into_response()
    };
    // Clicks there act on the whole database: no page may hide it below another.
    if name == "operator.html" {
        let policy = HeaderValue::from_static(UNFRAMED);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        _ => "application/octet-stream",
    }
}

fn tag(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let mut tag = String::from("\"");
    for byte in &hash.as_ref()[..12] {
        // Writing to a string does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}
