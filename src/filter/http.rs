//! The start line and the header of an HTTP/1 message, as far as one segment shows them.

/// The methods that begin a request (RFC 9110 §9, RFC 5789).
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A message that begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Http<'a> {
    start: Start<'a>,
    /// What follows the start line.
    rest: &'a [u8],
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start<'a> {
    /// Method, target and version (RFC 9112 §3).
    Request(&'a str, &'a str, &'a str),
    /// Version, status code and reason (RFC 9112 §4).
    Response(&'a str, u16, &'a str),
}

impl<'a> Http<'a> {
    /// Reads the start line of a payload; `None` when no HTTP/1 message begins there.
    pub(super) fn read(payload: &'a [u8]) -> Option<Http<'a>> {
        let end = payload.iter().position(|byte| *byte == b'\n').unwrap_or(payload.len());
        let (line, rest) = (payload.get(..end)?, payload.get(end + 1..).unwrap_or_default());
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
        let (first, behind) = line.split_once(' ')?;
        if first.starts_with("HTTP/1.") {
            let (code, reason) = behind.split_once(' ').unwrap_or((behind, ""));
            let number = code.parse().ok().filter(|_| code.len() == 3)?;
            return Some(Http { start: Start::Response(first, number, reason), rest });
        }
        let (target, version) = behind.split_once(' ')?;
        let is_request = METHODS.contains(&first) && version.starts_with("HTTP/1.");
        is_request.then_some(Http { start: Start::Request(first, target, version), rest })
    }

    /// The method of a request.
    pub(super) fn method(&self) -> Option<&'a str> {
        match self.start {
            Start::Request(method, _, _) => Some(method),
            Start::Response(..) => None,
        }
    }

    /// The target of a request.
    pub(super) fn target(&self) -> Option<&'a str> {
        match self.start {
            Start::Request(_, target, _) => Some(target),
            Start::Response(..) => None,
        }
    }

    /// The version of a request, or of a response.
    pub(super) fn version(&self, of_request: bool) -> Option<&'a str> {
        match self.start {
            Start::Request(_, _, version) if of_request => Some(version),
            Start::Response(version, _, _) if !of_request => Some(version),
            Start::Request(..) | Start::Response(..) => None,
        }
    }

    /// The status code of a response.
    pub(super) fn code(&self) -> Option<u16> {
        match self.start {
            Start::Response(_, code, _) => Some(code),
            Start::Request(..) => None,
        }
    }

    /// The words behind the status code.
    pub(super) fn reason(&self) -> Option<&'a str> {
        match self.start {
            Start::Response(_, _, reason) => Some(reason).filter(|reason| !reason.is_empty()),
            Start::Request(..) => None,
        }
    }

    /// The lines of the header, each with its end, that are whole in this segment; in order.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let lines = self.rest.split_inclusive(|byte| *byte == b'\n');
        let header = lines.take_while(|line| line.ends_with(b"\n") && !matches!(line, [b'\n'] | [b'\r', b'\n']));
        header.filter_map(|line| std::str::from_utf8(line).ok())
    }

    /// The values of the header fields of this name, whatever its case (RFC 9110 §5.1).
    pub(super) fn header(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.lines().filter_map(move |line| {
            let (field, value) = line.split_once(':')?;
            field.trim_end().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}
