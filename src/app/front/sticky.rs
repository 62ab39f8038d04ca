//! Sticky sessions: who has come once goes to the same server again, told by a cookie (RFC 6265 §4.2).

use std::collections::BTreeMap;

use hyper::header::{self, HeaderMap};
use serde::{Deserialize, Deserializer, de};

/// Sessions that are remembered. Those beyond are served by whoever has the turn.
const MOST_SESSIONS: usize = 10_000;
/// The longest name of a session that is remembered, in octets.
const LONGEST: usize = 256;

/// Reads a cookie's name, a token (RFC 6265 §4.1.1).
pub(super) fn cookie<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(de::Error::custom(format!("`{name}` is not a cookie's name: write one such as \"session\"")));
    }
    Ok(Some(name))
}

/// Which server each session belongs to.
pub(super) struct Sessions {
    /// The cookie that names a session.
    cookie: String,
    /// By session, the server's place.
    places: BTreeMap<String, usize>,
}

impl Sessions {
    /// None so far.
    pub(super) fn new(cookie: &str) -> Sessions {
        Sessions { cookie: cookie.to_owned(), places: BTreeMap::new() }
    }

    /// The session that a request belongs to.
    pub(super) fn of(&self, fields: &HeaderMap) -> Option<String> {
        let lines = fields.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, session) = pairs.find(|(name, _)| *name == self.cookie)?;
        (!session.is_empty() && session.len() <= LONGEST).then(|| session.to_owned())
    }

    /// Where the session was served before.
    pub(super) fn place(&self, session: &str) -> Option<usize> {
        self.places.get(session).copied()
    }

    /// It is served there now.
    pub(super) fn remember(&mut self, session: &str, place: usize) {
        if self.places.len() < MOST_SESSIONS || self.places.contains_key(session) {
            self.places.insert(session.to_owned(), place);
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn of(cookies: &[&'static str]) -> Option<String> {
        let mut fields = HeaderMap::new();
        for line in cookies {
            fields.append(header::COOKIE, HeaderValue::from_static(line));
        }
        Sessions::new("session").of(&fields)
    }

    #[test]
    fn a_session_is_named_by_its_cookie_among_others() {
        assert_eq!(of(&["session=user-1"]).as_deref(), Some("user-1"));
        assert_eq!(of(&["theme=dark; session=user-2; x=y"]).as_deref(), Some("user-2"));
        assert_eq!(of(&["theme=dark", "session=a=b"]).as_deref(), Some("a=b"));
        for nothing in [&[][..], &["sessions=1"], &["session"], &["session="], &["Session=1"]] {
            assert_eq!(of(nothing), None, "{nothing:?}");
        }
        let long: &'static str = format!("session={}", "x".repeat(LONGEST + 1)).leak();
        assert_eq!(of(&[long]), None, "nobody fills the memory with names");
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut sessions = Sessions::new("session");
        (0..MOST_SESSIONS).for_each(|number| sessions.remember(&number.to_string(), 1));
        sessions.remember("one more", 2);
        sessions.remember("7", 2);
        assert_eq!((sessions.place("7"), sessions.place("8"), sessions.place("one more")), (Some(2), Some(1), None));
    }
}
