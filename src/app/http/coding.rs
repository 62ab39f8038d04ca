//! Content codings: the same body in fewer octets, where the client can unpack it (RFC 9110 §8.4, RFC 7932, RFC 1952).
//!
//! Bodies are packed as servers pack what they make on demand: below the highest level, where the packing would take longer
//! than the sending.

use std::io;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliDecoder, BrotliEncoder, GzipDecoder, GzipEncoder};
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::MOST_BODY;

/// What a field that names no weight weighs, in thousandths (RFC 9110 §12.4.2).
const WHOLE: u16 = 1000;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::app) enum Coding {
    /// Brotli (RFC 7932).
    Br,
    /// gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// As it stands in `Content-Encoding`.
    pub(in crate::app) const fn name(self) -> &'static str {
        match self {
            Coding::Br => "br",
            Coding::Gzip => "gzip",
        }
    }

    /// The coding that a response names; `None` when it names none, or one that is not known here.
    pub(in crate::app) fn of(fields: &HeaderMap) -> Option<Coding> {
        let name = fields.get(header::CONTENT_ENCODING)?.to_str().ok()?;
        [Coding::Br, Coding::Gzip].into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }

    /// The field with which a client asks for `codings`; none when it takes none.
    pub(in crate::app) fn asked_for(codings: &[Coding]) -> Option<(header::HeaderName, HeaderValue)> {
        let names: Vec<&str> = codings.iter().map(|coding| coding.name()).collect();
        let list = HeaderValue::try_from(names.join(", ")).ok().filter(|list| !list.is_empty())?;
        Some((header::ACCEPT_ENCODING, list))
    }

    /// The one of `offered` that the client likes best; of those that it likes alike, the first (RFC 9110 §12.5.3).
    pub(in crate::app) fn chosen(asked: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
        let lists = || asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
        let weight = |coding: &Coding| lists().filter_map(|list| weight(list, coding.name())).max().unwrap_or(0);
        // The last of the greatest is what `max_by_key` gives.
        offered.iter().rev().copied().max_by_key(weight).filter(|coding| weight(coding) > 0)
    }

    /// `body`, packed.
    ///
    /// # Errors
    /// None that a body in memory could cause; the packer's own.
    pub(in crate::app) async fn pack(self, body: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Coding::Br => drained(BrotliEncoder::with_quality(body, Level::Precise(9))).await,
            Coding::Gzip => drained(GzipEncoder::with_quality(body, Level::Precise(6))).await,
        }
    }

    /// `body`, unpacked.
    ///
    /// # Errors
    /// It is not packed like that, breaks off, or is longer than what is kept in memory: a few octets can unpack to
    /// gigabytes.
    pub(in crate::app) async fn unpack(self, body: &[u8]) -> io::Result<Vec<u8>> {
        let limit = MOST_BODY as u64 + 1;
        let whole = match self {
            Coding::Br => drained(BrotliDecoder::new(body).take(limit)).await,
            Coding::Gzip => drained(GzipDecoder::new(body).take(limit)).await,
        }?;
        if whole.len() > MOST_BODY {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it unpacks to more than is kept in memory"));
        }
        Ok(whole)
    }
}

async fn drained(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    from.read_to_end(&mut whole).await?;
    Ok(whole)
}

/// What `list` gives for `name`, in thousandths: by its own name, else by `*`.
fn weight(list: &str, name: &str) -> Option<u16> {
    let of = |wanted: &str| {
        let mut members = list.split(',').map(|member| member.split_once(';').unwrap_or((member, "")));
        let found = members.find(|(coding, _)| coding.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, parameters)| thousandths(parameters))
    };
    of(name).or_else(|| of("*"))
}

/// `q=0.5` as 500. What is no weight is none: then the coding is not wanted.
fn thousandths(parameters: &str) -> u16 {
    let Some((_, weight)) = parameters.trim().split_once('=') else { return WHOLE };
    let (whole, fraction) = weight.trim().split_once('.').unwrap_or((weight.trim(), ""));
    match (whole, fraction.len()) {
        ("1", 0..=3) if fraction.bytes().all(|digit| digit == b'0') => WHOLE,
        ("0", 0..=3) if fraction.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{fraction:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    }
}

/// The response as this client gets it: packed in the coding that it likes best of those `offered`.
///
/// `Vary` says that another client may get something else, so that a cache keeps the forms apart (RFC 9110 §12.5.5); it is
/// left out only on request. An entity tag names octets, and the packed ones are others: it becomes a weak one
/// (RFC 9110 §8.8.3.3).
pub(in crate::app) async fn packed(
    asked: &HeaderMap,
    offered: &[Coding],
    varies: bool,
    response: Response<Bytes>,
) -> Response<Bytes> {
    if offered.is_empty() || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut head, mut body) = response.into_parts();
    if varies {
        head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if !body.is_empty()
        && let Some(coding) = Coding::chosen(asked, offered)
        && let Ok(shorter) = coding.pack(&body).await
    {
        body = Bytes::from(shorter);
        head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        let weak = head.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(weakened);
        if let Some(weak) = weak.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            head.headers.insert(header::ETAG, weak);
        }
    }
    Response::from_parts(head, body)
}

fn weakened(tag: &str) -> String {
    format!("W/{}", tag.strip_prefix("W/").unwrap_or(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ready<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing of the system");
        runtime.block_on(future)
    }

    #[test]
    fn the_coding_that_the_client_likes_best_is_taken_and_of_equals_the_server_s_first() {
        use Coding::{Br, Gzip};
        let table = [
            ("gzip, br", Some(Br)),
            ("gzip", Some(Gzip)),
            ("BR", Some(Br)),
            ("gzip;q=1.0, br;q=0.5", Some(Gzip)),
            ("gzip;q=0.001, br;q=0", Some(Gzip)),
            ("*", Some(Br)),
            ("br;q=0, *;q=0.3", Some(Gzip)),
            ("deflate, zstd", None),
            ("identity", None),
            ("gzip;q=2", None),
            ("gzip;q=0.0001", None),
            ("", None),
        ];
        for (list, expected) in table {
            let asked = HeaderMap::from_iter([(header::ACCEPT_ENCODING, list.parse().expect("a value"))]);
            assert_eq!(Coding::chosen(&asked, &[Br, Gzip]), expected, "{list}");
        }
        assert_eq!(Coding::chosen(&HeaderMap::new(), &[Br, Gzip]), None);
    }

    #[test]
    fn a_packed_response_says_so_has_a_weak_tag_and_varies() {
        let mut response = Response::new(Bytes::from(vec![b'a'; 1000]));
        response.headers_mut().insert(header::ETAG, "\"v1\"".parse().expect("a tag"));
        let asked = HeaderMap::from_iter([(header::ACCEPT_ENCODING, "gzip".parse().expect("a value"))]);
        let told = ready(packed(&asked, &[Coding::Br, Coding::Gzip], true, response.clone()));
        assert_eq!(told.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(told.headers()[header::VARY], "Accept-Encoding");
        assert_eq!(told.headers()[header::ETAG], "W/\"v1\"");
        assert_eq!(ready(Coding::Gzip.unpack(told.body())).expect("it was packed so"), vec![b'a'; 1000]);
        let plain = ready(packed(&HeaderMap::new(), &[Coding::Br], true, response.clone()));
        assert_eq!((plain.headers()[header::VARY].as_bytes(), plain.body().len()), (&b"Accept-Encoding"[..], 1000));
        let untold = ready(packed(&asked, &[Coding::Gzip], false, response));
        assert!(!untold.headers().contains_key(header::VARY));
    }

    #[test]
    fn what_unpacks_to_more_than_is_kept_in_memory_is_refused() {
        for coding in [Coding::Br, Coding::Gzip] {
            let bomb = ready(coding.pack(&vec![0; MOST_BODY + 1])).expect("it can be packed");
            assert!(bomb.len() < 100_000, "{}", bomb.len());
            assert!(ready(coding.unpack(&bomb)).is_err(), "{}", coding.name());
        }
    }

    proptest! {
        #[test]
        fn unpacking_undoes_packing_and_refuses_or_reads_everything_else(body: Vec<u8>, other: Vec<u8>) {
            for coding in [Coding::Br, Coding::Gzip] {
                let packed = ready(coding.pack(&body)).expect("any body can be packed");
                prop_assert_eq!(ready(coding.unpack(&packed)).expect("it was packed so"), body.clone());
                let _ = ready(coding.unpack(&other));
            }
        }
    }
}
