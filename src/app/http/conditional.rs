//! Conditional requests: whether the client already has what it asks for (RFC 9110 §13).

use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Response, StatusCode};

/// What describes the body, and goes with it (RFC 9110 §15.4.5).
const OF_THE_BODY: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];

/// The response as this request gets it: itself, or 304 without a body when the client has the same.
pub(super) fn answer(method: &Method, asked: &HeaderMap, response: Response<Bytes>) -> Response<Bytes> {
    let is_condition = matches!(*method, Method::GET | Method::HEAD) && response.status() == StatusCode::OK;
    if !is_condition || !is_known(asked, response.headers()) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    // Built anew, since taking one away would change the order of the others.
    let mut left = HeaderMap::new();
    for (name, value) in parts.headers.iter().filter(|(name, _)| !OF_THE_BODY.contains(name)) {
        left.append(name.clone(), value.clone());
    }
    parts.headers = left;
    Response::from_parts(parts, Bytes::new())
}

/// Whether the client's validators are those of the response. Where it names entity tags, dates are not looked at
/// (RFC 9110 §13.2.2).
fn is_known(asked: &HeaderMap, current: &HeaderMap) -> bool {
    if asked.contains_key(header::IF_NONE_MATCH) {
        let current = current.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let mut named =
            asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).flat_map(tags);
        return named.any(|tag| tag == "*" || current.is_some_and(|current| weakly_equal(tag, current)));
    }
    // A date is compared as a text: the client gives back the one that it was given.
    let since = asked.get(header::IF_MODIFIED_SINCE);
    since.is_some() && since == current.get(header::LAST_MODIFIED)
}

/// The entity tags of a list (RFC 9110 §8.8.3). A comma may stand inside of a tag's quotes.
fn tags(list: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let outside = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    list.split(outside).map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

/// Whether two tags are the same but for their strength (RFC 9110 §8.8.3.2).
fn weakly_equal(one: &str, other: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    opaque(one) == opaque(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    fn status(method: &Method, asked: &HeaderMap, etag: &str) -> u16 {
        let mut response = Response::new(Bytes::from_static(b"{}"));
        response.headers_mut().insert(header::ETAG, etag.parse().expect("a tag"));
        response.headers_mut().insert(header::LAST_MODIFIED, "Sat, 25 Apr 2026 12:00:00 GMT".parse().expect("a date"));
        response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().expect("a type"));
        let answer = answer(method, asked, response);
        assert_eq!(answer.body().is_empty(), answer.status() == StatusCode::NOT_MODIFIED);
        assert_eq!(answer.headers().contains_key(header::CONTENT_TYPE), answer.status() == StatusCode::OK);
        assert!(answer.headers().contains_key(header::ETAG), "RFC 9110 §15.4.5 wants it in a 304, too");
        answer.status().as_u16()
    }

    #[test]
    fn tags_are_compared_weakly_one_of_several_is_enough_and_a_star_is_any() {
        let table = [
            ("\"v1\"", "\"v1\"", 304),
            ("\"v1\"", "\"v2\"", 200),
            ("W/\"v1\"", "\"v1\"", 304),
            ("\"v1\"", "W/\"v1\"", 304),
            ("\"v0\", W/\"v1\" ,\"v2\"", "\"v1\"", 304),
            ("\"v0,v1\"", "\"v1\"", 200),
            ("\"v0,v1\"", "\"v0,v1\"", 304),
            ("*", "\"v1\"", 304),
            ("v1", "\"v1\"", 200),
            ("", "\"v1\"", 200),
        ];
        for (named, current, expected) in table {
            assert_eq!(status(&Method::GET, &asked(header::IF_NONE_MATCH, named), current), expected, "{named}");
        }
    }

    #[test]
    fn dates_count_only_without_tags_and_conditions_only_for_reading() {
        let date = asked(header::IF_MODIFIED_SINCE, "Sat, 25 Apr 2026 12:00:00 GMT");
        assert_eq!(status(&Method::HEAD, &date, "\"v1\""), 304);
        let mut both = date.clone();
        both.insert(header::IF_NONE_MATCH, "\"v0\"".parse().expect("a tag"));
        assert_eq!(status(&Method::GET, &both, "\"v1\""), 200);
        assert_eq!(status(&Method::POST, &date, "\"v1\""), 200);
        assert_eq!(status(&Method::GET, &HeaderMap::new(), "\"v1\""), 200);
    }
}
