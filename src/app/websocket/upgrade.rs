//! The opening handshake as its server sees it (RFC 6455 §4.2): a request of HTTP, granted or refused.

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::app::http::{TEXT, response};

/// Whether a request asks for another protocol.
pub(in crate::app) fn is_wanted(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(header::UPGRADE)
}

/// 101 with the key's digest, or what is wrong with the request.
pub(in crate::app) fn grant(request: &Request<Incoming>) -> Response<Bytes> {
    match create_response_with_body(request, Bytes::new) {
        Ok(granted) => granted,
        Err(_) if !is_wanted(request) => refusal(StatusCode::UPGRADE_REQUIRED, "this resource speaks WebSocket only"),
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// Says in each refusal which version is spoken (RFC 6455 §4.2.2).
fn refusal(status: StatusCode, why: &str) -> Response<Bytes> {
    let mut refusal = response(status, TEXT, format!("{why}\n"));
    let fields = refusal.headers_mut();
    fields.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if status == StatusCode::UPGRADE_REQUIRED {
        fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    refusal
}
