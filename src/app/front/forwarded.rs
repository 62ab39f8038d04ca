//! What somebody in front writes into a request for those behind: who has asked, how, and under which name it is known.

use std::cell::RefCell;
use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::app::run::Running;
use crate::rng::Rng;

/// From whom a request comes, one address for each that passed it on, the last of them the nearest.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Whether it came with TLS.
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What all call it who have to do with it.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whoever gives names to requests that have none.
pub(super) struct RequestIds(RefCell<Rng>);

impl RequestIds {
    /// The names are the same in each simulation with the same seed.
    pub(super) fn new(running: &Running) -> RequestIds {
        RequestIds(RefCell::new(running.data()))
    }

    /// The request's name; one without gets one.
    pub(super) fn name(&self, fields: &mut HeaderMap) -> HeaderValue {
        let known = fields.get(X_REQUEST_ID).cloned();
        known.unwrap_or_else(|| {
            let name = format!("req-{:08x}", self.0.borrow_mut().next_u32());
            let name = HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("req-0"));
            fields.insert(X_REQUEST_ID, name.clone());
            name
        })
    }
}

/// Says that the request came from `peer`, after those whom it names already.
pub(super) fn name_sender(fields: &mut HeaderMap, peer: IpAddr) {
    let before = fields.get_all(X_FORWARDED_FOR).iter().filter_map(|names| names.to_str().ok());
    let all: Vec<String> = before.map(str::to_owned).chain([peer.to_string()]).collect();
    if let Ok(all) = HeaderValue::try_from(all.join(", ")) {
        fields.insert(X_FORWARDED_FOR, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_passes_a_request_on_is_named_after_those_before() {
        let client = IpAddr::from([198, 51, 100, 25]);
        for (before, after) in [
            (&[][..], "198.51.100.25"),
            (&["203.0.113.7"], "203.0.113.7, 198.51.100.25"),
            (&["a, b", "c"], "a, b, c, 198.51.100.25"),
        ] {
            let mut fields = HeaderMap::new();
            before.iter().for_each(|value| {
                fields.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
            });
            name_sender(&mut fields, client);
            assert_eq!(fields.get_all(X_FORWARDED_FOR).iter().collect::<Vec<_>>(), [after]);
        }
    }
}
