//! The values that programs are written with: sizes, spans of time, destinations, URLs.
//!
//! Each is a string in the lab file and is checked when the file is read, so that an error has a line and a column.
//! Quantities are whole numbers of octets or nanoseconds; a decimal fraction is fine as long as it ends on one
//! (`"1.5s"`, not `"0.3ns"`), so that nothing is rounded and nothing depends on a machine's floats. What does not live
//! here: the meaning of a node's name, which only a run knows ([`Resolver`](super::Resolver)).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// Why a string is not the value that it should be. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Not a number followed by a known unit.
    #[error("`{written}` is not {what}: write a number and its unit, such as {example}")]
    Quantity {
        /// What stands in the file.
        written: String,
        /// What should stand there: `a size`.
        what: &'static str,
        /// How it is written, and with which units.
        example: &'static str,
    },
    /// It does not end on a whole unit of the smallest kind.
    #[error("`{written}` is not a whole number of {smallest}; a smaller part than one does not exist here")]
    Fraction {
        /// What stands in the file.
        written: String,
        /// What cannot be divided: `octets`.
        smallest: &'static str,
    },
    /// The number with its unit does not fit.
    #[error("`{written}` is too large: at most 2^64 - 1 {smallest} can be counted")]
    TooLarge {
        /// What stands in the file.
        written: String,
        /// What is counted: `octets`.
        smallest: &'static str,
    },
    /// A message that cannot hold its number, or that no datagram can carry.
    #[error("a message of {octets} octets cannot be sent: write 4B (its number) to 65507B (the longest datagram)")]
    MessageSize {
        /// The size asked for, in octets.
        octets: u64,
    },
    /// Not `node:port` or `address:port`.
    #[error("`{written}` is not a destination: write a node and a port, such as \"server:9000\" or \"[fd00::2]:9000\"")]
    Destination {
        /// What stands in the file.
        written: String,
    },
    /// Not `http://node[:port]/path` or `https://…`.
    #[error(
        "`{written}` is not a URL that is spoken here: write one such as \"http://server:8080/api/posts\" or \"https://server/\""
    )]
    Url {
        /// What stands in the file.
        written: String,
    },
}

/// A kind of quantity: what it is called, and its units as multiples of the smallest.
struct Kind {
    what: &'static str,
    smallest: &'static str,
    units: &'static [(&'static str, u64)],
    example: &'static str,
}

const SIZE: Kind = Kind {
    what: "a size",
    smallest: "octets",
    units: &[
        ("B", 1),
        ("KB", 1_000),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ],
    example: "\"17520B\", \"16KB\" (KB, MB, GB: powers of 1000) or \"16KiB\" (KiB, MiB, GiB: powers of 1024)",
};

const SPAN: Kind = Kind {
    what: "a span of time",
    smallest: "nanoseconds",
    units: &[("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000)],
    example: "\"20ms\" or \"1.5s\" (ns, us, ms, s, min)",
};

impl Kind {
    /// `written` in the smallest unit.
    fn read(&self, written: &str) -> Result<u64, ValueError> {
        let (number, factor) = self.parts(written).ok_or_else(|| ValueError::Quantity {
            written: written.to_owned(),
            what: self.what,
            example: self.example,
        })?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let too_large = || ValueError::TooLarge { written: written.to_owned(), smallest: self.smallest };
        // 1.5 is read as 15 and divided by 10 in the end. Zeros at the end change nothing and could overflow.
        let fraction = fraction.trim_end_matches('0');
        let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| too_large())?;
        let scale = u32::try_from(fraction.len()).ok().and_then(|places| 10_u128.checked_pow(places));
        let product = digits.checked_mul(u128::from(factor)).ok_or_else(too_large)?;
        match scale.filter(|scale| product % scale == 0) {
            Some(scale) => u64::try_from(product / scale).map_err(|_| too_large()),
            None => Err(ValueError::Fraction { written: written.to_owned(), smallest: self.smallest }),
        }
    }

    /// `1.5 KB` as `1.5` and what KB is worth; `None` when it is not a number and a unit.
    fn parts<'a>(&self, written: &'a str) -> Option<(&'a str, u64)> {
        let boundary = written.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = written.split_at(boundary);
        let (_, factor) = self.units.iter().find(|(name, _)| *name == unit.trim_start())?;
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        (is_digits(whole) && is_digits(fraction)).then_some((number, *factor))
    }
}

/// An amount of data in octets, written `17520B`, `16KB` (1000) or `16KiB` (1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// `octets` octets.
    pub const fn from_octets(octets: u64) -> Size {
        Size(octets)
    }

    /// How many octets.
    pub const fn octets(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(written: &str) -> Result<Size, ValueError> {
        SIZE.read(written).map(Size)
    }
}

/// A span of time, written `20ms`, `1s`; whole nanoseconds, up to 584 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// The span that `duration` is.
    pub const fn from_duration(duration: Duration) -> Span {
        Span(duration)
    }

    /// How long it is.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = ValueError;

    fn from_str(written: &str) -> Result<Span, ValueError> {
        SPAN.read(written).map(|nanos| Span(Duration::from_nanos(nanos)))
    }
}

/// The size of a numbered message: 4 octets (its number) to 65,507 (the longest datagram over IPv4, RFC 768).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageSize(u16);

impl MessageSize {
    /// The smallest: the number alone.
    pub const MIN: u16 = 4;
    /// The largest: 65,535 octets of an IPv4 packet without 20 of its header and 8 of UDP's.
    pub const MAX: u16 = 65_507;

    /// How many octets.
    pub const fn octets(self) -> u16 {
        self.0
    }
}

impl TryFrom<Size> for MessageSize {
    type Error = ValueError;

    fn try_from(size: Size) -> Result<MessageSize, ValueError> {
        match u16::try_from(size.octets()) {
            Ok(octets @ Self::MIN..=Self::MAX) => Ok(MessageSize(octets)),
            Ok(_) | Err(_) => Err(ValueError::MessageSize { octets: size.octets() }),
        }
    }
}

impl FromStr for MessageSize {
    type Err = ValueError;

    fn from_str(written: &str) -> Result<MessageSize, ValueError> {
        MessageSize::try_from(written.parse::<Size>()?)
    }
}

/// Whom a client talks to: a node's name or an address, and a port. Written `server:9000`, `10.0.0.2:9000`,
/// `[fd00::2]:9000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// A node's name, or an address without brackets.
    pub host: String,
    /// The port, from 1.
    pub port: u16,
}

impl FromStr for Destination {
    type Err = ValueError;

    fn from_str(written: &str) -> Result<Destination, ValueError> {
        let parts = written.rsplit_once(':').and_then(|(host, port)| Some((bare_host(host)?, port_number(port)?)));
        let (host, port) = parts.ok_or_else(|| ValueError::Destination { written: written.to_owned() })?;
        Ok(Destination { host: host.to_owned(), port })
    }
}

/// As it is written, an IPv6 address in brackets.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Ok(IpAddr::V4(_)) | Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A host as a destination has it: a name, an IPv4 address, or an IPv6 address in brackets, which go.
fn bare_host(written: &str) -> Option<&str> {
    match written.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|address| address.parse::<Ipv6Addr>().is_ok()),
        None if written.is_empty() => None,
        None => written.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).then_some(written),
    }
}

/// A port from 1 to 65,535, in digits alone.
fn port_number(written: &str) -> Option<u16> {
    let digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    written.parse().ok().filter(|port| digits && *port != 0)
}

/// An `http` or `https` URL, taken apart: `http://server:8080/api/posts?page=2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Whether TLS is spoken: `https`.
    pub is_secure: bool,
    /// Whom to connect to; port 80, or 443 with TLS, when the URL names none.
    pub destination: Destination,
    /// The `Host` field (RFC 9110 §7.2): as it stands in the URL.
    pub authority: String,
    /// The request's target: path and query, at least `/`. Without the fragment, which is not sent.
    pub target: String,
}

impl Url {
    /// The ports of `http` and `https` (RFC 9110 §4.2).
    const DEFAULT_PORTS: [u16; 2] = [80, 443];

    /// Where `target` stands at `destination`, in the clear.
    pub fn http(destination: &Destination, target: &str) -> Url {
        let destination = destination.clone();
        let authority = match destination.port {
            80 => destination.host.clone(),
            _ => destination.to_string(),
        };
        Url { is_secure: false, destination, authority, target: target.to_owned() }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

impl FromStr for Url {
    type Err = ValueError;

    fn from_str(written: &str) -> Result<Url, ValueError> {
        let error = || ValueError::Url { written: written.to_owned() };
        let (is_secure, rest) = match written.split_once("://").ok_or_else(error)? {
            ("http", rest) => (false, rest),
            ("https", rest) => (true, rest),
            _ => return Err(error()),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // Only what may stand in a request line; anything else must be percent-encoded (RFC 3986 §2).
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(error());
        }
        let destination = match bare_host(authority) {
            Some(host) => Destination { host: host.to_owned(), port: Self::DEFAULT_PORTS[usize::from(is_secure)] },
            None => authority.parse().map_err(|_| error())?,
        };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Url { is_secure, destination, authority: authority.to_owned(), target })
    }
}

/// As it is sent: `http://server:8080/api/posts`.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.target)
    }
}

/// Reads a string from the file and parses it; what else stands there is answered with `expected`.
fn parsed<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err = ValueError>,
    D: Deserializer<'de>,
{
    struct Written<T>(&'static str, std::marker::PhantomData<T>);

    impl<T: FromStr<Err = ValueError>> de::Visitor<'_> for Written<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, written: &str) -> Result<T, E> {
            written.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Written(expected, std::marker::PhantomData))
}

macro_rules! read_from_a_string {
    ($($kind:ty: $expected:expr;)*) => {$(
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$kind, D::Error> {
                parsed(deserializer, $expected)
            }
        }
    )*};
}

read_from_a_string! {
    Size: "a size in quotes, such as \"17520B\", \"16KB\" or \"16KiB\"";
    Span: "a span of time in quotes, such as \"20ms\" or \"1s\"";
    MessageSize: "a message's size in quotes, such as \"100B\"";
    Destination: "a destination in quotes, such as \"server:9000\"";
    Url: "a URL in quotes, such as \"http://server:8080/api/posts\"";
}

/// Reads a port, which must not be 0: a server that any port will do for cannot be found by its clients.
pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    std::num::NonZeroU16::deserialize(deserializer).map(std::num::NonZeroU16::get)
}

/// Reads the URL of a program that speaks no TLS.
#[cfg(any(feature = "graphql", feature = "websocket"))]
pub(super) fn plain_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let url = Url::deserialize(deserializer)?;
    let error =
        || de::Error::custom(format!("`{url}`: this program speaks no TLS; write a URL that begins with http://"));
    if url.is_secure { Err(error()) } else { Ok(url) }
}

/// Reads a span of time that must not be 0: what is done again after no time at all never ends.
#[cfg(feature = "http")]
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let span = Span::deserialize(deserializer)?;
    let error = || de::Error::custom("this span of time must not be 0: write one such as \"1s\"");
    if span.duration().is_zero() { Err(error()) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_octets_in_decimal_or_binary_units() {
        let table = [
            ("0B", Some(0)),
            ("17520B", Some(17_520)),
            ("16KB", Some(16_000)),
            ("16 kB", Some(16_000)),
            ("16KiB", Some(16_384)),
            ("1.5MB", Some(1_500_000)),
            ("0.5KiB", Some(512)),
            ("1.0000000000000000000000000000000000000000000B", Some(1)),
            ("2MiB", Some(2 << 20)),
            ("1GiB", Some(1 << 30)),
            ("17520", None),
            ("KB", None),
            ("", None),
            ("-1B", None),
            (".5KB", None),
            ("1.KB", None),
            ("1.2.3KB", None),
            ("16kb", None),
            ("1.5B", None),
            ("0.00000000000000000000000000000000000000001GB", None),
            ("99999999999999999999B", None),
            ("18446744073709551615GB", None),
            ("9999999999999999999999999999999999999999999999B", None),
        ];
        for (written, octets) in table {
            assert_eq!(written.parse::<Size>().ok().map(Size::octets), octets, "{written}");
        }
    }

    #[test]
    fn spans_count_nanoseconds_in_units_of_time() {
        let table = [
            ("7ns", Some(Duration::from_nanos(7))),
            ("5us", Some(Duration::from_micros(5))),
            ("5µs", Some(Duration::from_micros(5))),
            ("20ms", Some(Duration::from_millis(20))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("2 min", Some(Duration::from_secs(120))),
            ("20", None),
            ("0.3ns", None),
            ("1h", None),
            ("18446744073709551615s", None),
        ];
        for (written, span) in table {
            assert_eq!(written.parse::<Span>().ok().map(Span::duration), span, "{written}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_is_answered_with_how_to_write_it() {
        let error = |written: &str| written.parse::<Size>().expect_err(written).to_string();
        assert!(error("1500").starts_with("`1500` is not a size: write a number and its unit, such as \"17520B\""));
        assert_eq!(
            error("1.5B"),
            "`1.5B` is not a whole number of octets; a smaller part than one does not exist here"
        );
        let large = "`99999999999999999999B` is too large: at most 2^64 - 1 octets can be counted";
        assert_eq!(error("99999999999999999999B"), large);
        let small = "3B".parse::<MessageSize>().expect_err("no room for the number").to_string();
        assert!(small.contains("4B (its number)") && small.contains("65507B"), "{small}");
    }

    #[test]
    fn a_message_holds_its_number_and_fits_a_datagram() {
        for (written, fits) in [("3B", false), ("4B", true), ("65507B", true), ("65508B", false), ("1MB", false)] {
            assert_eq!(written.parse::<MessageSize>().is_ok(), fits, "{written}");
        }
    }

    #[test]
    fn destinations_are_a_name_or_an_address_and_a_port() {
        for written in ["server:9000", "10.0.0.2:1", "[fd00::2]:65535", "a-b.c:80"] {
            let destination: Destination = written.parse().expect("a destination");
            assert_eq!(destination.to_string(), written);
        }
        for written in
            ["server", "server:", ":9000", "server:0", "server:65536", "server:+80", "fd00::2:80", "[x]:80", "a b:1"]
        {
            assert!(written.parse::<Destination>().is_err(), "{written}");
        }
    }

    #[test]
    fn a_url_is_taken_apart_into_destination_host_field_and_target() {
        let table = [
            ("http://server", "server:80", "server", "/"),
            ("http://server/", "server:80", "server", "/"),
            ("http://server:8080/api/posts?page=2#top", "server:8080", "server:8080", "/api/posts?page=2"),
            ("http://[fd00::2]:81/x", "[fd00::2]:81", "[fd00::2]:81", "/x"),
            ("http://[fd00::2]", "[fd00::2]:80", "[fd00::2]", "/"),
            ("http://server?q", "server:80", "server", "/?q"),
        ];
        for (written, destination, authority, target) in table {
            let url: Url = written.parse().expect(written);
            assert_eq!(
                (url.destination.to_string().as_str(), &*url.authority, &*url.target),
                (destination, authority, target)
            );
        }
        for written in [
            "ftp://server/",
            "server/",
            "http://",
            "http:///x",
            "http://server/a b",
            "http://u@server/",
            "http://server:x/",
        ] {
            assert!(written.parse::<Url>().is_err(), "{written}");
        }
    }
}
