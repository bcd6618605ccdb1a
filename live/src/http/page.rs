//! The page. Its files are part of the program.

use super::UNFRAMED;
use crate::app::App;
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ring::digest::{Context, Digest, SHA256, digest};
use std::fmt::Write;
use std::sync::Arc;

/// Name and contents of each file of `page/`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// What names the set of files that a file belongs to: a browser keeps no page of two versions, which two
/// services behind one address may serve for a while, nor what somebody on the way answers.
const SET: HeaderName = HeaderName::from_static("page-set");

/// An address for each file; / is index.html.
pub fn routes() -> Router<Arc<App>> {
    let set = set(FILES);
    FILES.iter().fold(Router::new(), |router, (name, bytes)| {
        let (tag, set) = (
            format!("\"{}\"", short(&digest(&SHA256, bytes))),
            set.clone(),
        );
        let file =
            get(
                move |headers: HeaderMap| async move { serve(name, bytes, [&tag, &set], &headers) },
            );
        match *name {
            "index.html" => router.route("/", file.clone()).route("/index.html", file),
            name => router.route(&format!("/{name}"), file),
        }
    })
}

fn serve(name: &str, bytes: &'static [u8], [tag, set]: [&str; 2], request: &HeaderMap) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type(name)),
        // The browser asks each time, and is mostly answered that its copy is current.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, tag),
        (SET, set),
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

/// One name for all files: it changes when any of them does.
fn set(files: &[(&str, &[u8])]) -> String {
    let mut context = Context::new(&SHA256);
    for (name, bytes) in files {
        context.update(digest(&SHA256, name.as_bytes()).as_ref());
        context.update(digest(&SHA256, bytes).as_ref());
    }
    short(&context.finish())
}

fn short(hash: &Digest) -> String {
    let mut text = String::new();
    for byte in &hash.as_ref()[..12] {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::set;

    #[test]
    fn a_change_of_any_file_is_another_set() {
        let was = set(&[("a", b"x"), ("b", b"y")]);
        assert_eq!(was, set(&[("a", b"x"), ("b", b"y")]));
        let others: [&[(&str, &[u8])]; 4] = [
            &[("a", b"x"), ("b", b"z")],
            &[("a", b"x"), ("c", b"y")],
            &[("a", b"xb"), ("b", b"y")],
            &[("a", b"x")],
        ];
        for other in others {
            assert_ne!(was, set(other), "{other:?}");
        }
    }
}
