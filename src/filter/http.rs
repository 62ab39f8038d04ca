//! The first line of an HTTP/1 message, as far as one segment shows it.

/// The methods that begin a request (RFC 9110 §9, RFC 5789).
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A message that begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Http<'a> {
    /// A request: method and target (RFC 9112 §3).
    Request(&'a str, &'a str),
    /// A response: status code (RFC 9112 §4).
    Response(u16),
}

impl<'a> Http<'a> {
    /// Reads the start line of a payload; `None` when no HTTP/1 message begins there.
    pub(super) fn read(payload: &'a [u8]) -> Option<Http<'a>> {
        let line = payload.split(|byte| *byte == b'\n').next()?;
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
        if line.starts_with("HTTP/1.") {
            let code = line.split(' ').nth(1)?;
            return code.parse().ok().filter(|_| code.len() == 3).map(Http::Response);
        }
        let (method, rest) = line.split_once(' ')?;
        let (target, version) = rest.split_once(' ')?;
        (METHODS.contains(&method) && version.starts_with("HTTP/1.")).then_some(Http::Request(method, target))
    }

    /// Method and target of a request.
    pub(super) fn request(&self) -> Option<(&'a str, &'a str)> {
        match self {
            Http::Request(method, target) => Some((method, target)),
            Http::Response(_) => None,
        }
    }

    /// Status code of a response.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Http::Response(code) => Some(*code),
            Http::Request(..) => None,
        }
    }
}
