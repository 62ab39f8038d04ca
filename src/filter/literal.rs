//! The values that a filter's text names, and how field values compare with them.

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::{Kind, Value};

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// A number.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// An IPv4 address or, with fewer than 32 bits, a network.
    Ipv4(Ipv4Addr, u8),
    /// An IPv6 address or, with fewer than 128 bits, a network.
    Ipv6(Ipv6Addr, u8),
    /// A MAC address.
    Mac([u8; 6]),
    /// Octets.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A span of time in nanoseconds.
    Span(u64),
}

impl Literal {
    /// Reads a word as a value of this kind. The error says what was expected.
    pub(super) fn of_word(kind: Kind, word: &str) -> Result<Literal, String> {
        match kind {
            Kind::Number(bits) => number(word, bits).map(Literal::Number),
            Kind::Flag => match word {
                "True" | "TRUE" => Ok(Literal::Flag(true)),
                "False" | "FALSE" => Ok(Literal::Flag(false)),
                _ => number(word, 64)
                    .map(|value| Literal::Flag(value != 0))
                    .map_err(|_| format!("expected 1, 0, True or False, not `{word}`")),
            },
            Kind::Ipv4 => network::<Ipv4Addr>(word, 32)
                .map(|(address, bits)| Literal::Ipv4(address, bits))
                .ok_or_else(|| format!("`{word}` is no IPv4 address (10.0.0.1), network (10.0.0.0/24) or node")),
            Kind::Ipv6 => network::<Ipv6Addr>(word, 128)
                .map(|(address, bits)| Literal::Ipv6(address, bits))
                .ok_or_else(|| format!("`{word}` is no IPv6 address (fd00::1), network (fd00::/8) or node")),
            Kind::Mac => octets(word)
                .and_then(|octets| octets.try_into().ok())
                .map(Literal::Mac)
                .ok_or_else(|| format!("`{word}` is no MAC address like 02:00:00:00:00:01")),
            Kind::Bytes | Kind::Protocol => octets(word)
                .map(Literal::Bytes)
                .ok_or_else(|| format!("expected octets like 48:54:54:50 or a text in double quotes, not `{word}`")),
            Kind::Text => Ok(Literal::Text(word.to_owned())),
            Kind::Span => {
                span(word).map(Literal::Span).ok_or_else(|| format!("`{word}` is no number of seconds like 0.25"))
            }
        }
    }

    /// Takes a text in quotes as a value of this kind. The error says what was expected.
    pub(super) fn of_text(kind: Kind, text: &str) -> Result<Literal, String> {
        match kind {
            Kind::Text => Ok(Literal::Text(text.to_owned())),
            Kind::Bytes | Kind::Protocol => Ok(Literal::Bytes(text.as_bytes().to_vec())),
            Kind::Number(_) | Kind::Flag | Kind::Ipv4 | Kind::Ipv6 | Kind::Mac | Kind::Span => {
                Err(format!("{} go without quotes", kind.noun()))
            }
        }
    }

    /// A whole address as a value of this kind; `None` when the families differ.
    pub(super) fn of_address(kind: Kind, address: IpAddr) -> Option<Literal> {
        match (kind, address) {
            (Kind::Ipv4, IpAddr::V4(address)) => Some(Literal::Ipv4(address, 32)),
            (Kind::Ipv6, IpAddr::V6(address)) => Some(Literal::Ipv6(address, 128)),
            (
                Kind::Number(_)
                | Kind::Flag
                | Kind::Ipv4
                | Kind::Ipv6
                | Kind::Mac
                | Kind::Bytes
                | Kind::Text
                | Kind::Span
                | Kind::Protocol,
                IpAddr::V4(_) | IpAddr::V6(_),
            ) => None,
        }
    }

    /// The text of a text; empty for all else. Members of events compare with nothing but texts.
    pub(super) fn text(&self) -> &str {
        match self {
            Literal::Text(text) => text,
            Literal::Number(_)
            | Literal::Flag(_)
            | Literal::Ipv4(..)
            | Literal::Ipv6(..)
            | Literal::Mac(_)
            | Literal::Bytes(_)
            | Literal::Span(_) => "",
        }
    }

    /// How a field's value stands to this one; `None` when they are of different kinds. Against a network only the
    /// network's bits count.
    pub(super) fn order_of(&self, value: &Value<'_>) -> Option<Ordering> {
        Some(match (value, self) {
            (Value::Number(value), Literal::Number(literal)) | (Value::Span(value), Literal::Span(literal)) => {
                value.cmp(literal)
            }
            (Value::Flag(value), Literal::Flag(literal)) => value.cmp(literal),
            (Value::Ipv4(value), Literal::Ipv4(literal, bits)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                (value.to_bits() & mask).cmp(&(literal.to_bits() & mask))
            }
            (Value::Ipv6(value), Literal::Ipv6(literal, bits)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                (value.to_bits() & mask).cmp(&(literal.to_bits() & mask))
            }
            (Value::Mac(value), Literal::Mac(literal)) => value.cmp(literal),
            (Value::Bytes(value), Literal::Bytes(literal)) => (*value).cmp(literal.as_slice()),
            (Value::Text(value), Literal::Text(literal)) => value.as_ref().cmp(literal.as_str()),
            _ => return None,
        })
    }

    /// Whether this value lies within a field's value.
    pub(super) fn is_within(&self, value: &Value<'_>) -> bool {
        match (value, self) {
            (Value::Text(value), Literal::Text(literal)) => value.contains(literal.as_str()),
            (Value::Bytes(value), Literal::Bytes(literal)) => has(value, literal),
            (Value::Mac(value), Literal::Bytes(literal)) => has(value, literal),
            _ => false,
        }
    }
}

fn has(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

fn number(word: &str, bits: u8) -> Result<u64, String> {
    let parsed = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        // Wireshark reads a leading zero as octal; nobody means that.
        None if word.len() > 1 && word.starts_with('0') => {
            return Err(format!("`{word}` begins with 0, which Wireshark reads as octal; leave the 0 away"));
        }
        None => word.parse(),
    };
    let value = parsed.map_err(|_| format!("expected a number like 80 or 0x50, not `{word}`"))?;
    let most = u64::MAX >> (64 - u32::from(bits.clamp(1, 64)));
    if value > most {
        return Err(format!("{word} is too big for this field; its maximum is {most}"));
    }
    Ok(value)
}

fn network<A: std::str::FromStr>(word: &str, most: u8) -> Option<(A, u8)> {
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= most)?),
        None => (word, most),
    };
    Some((address.parse().ok()?, bits))
}

/// `48:54`, `48-54` or `48.54`.
fn octets(word: &str) -> Option<Vec<u8>> {
    let separator = word.chars().find(|character| matches!(character, ':' | '-' | '.')).unwrap_or(':');
    word.split(separator)
        .map(|pair| if pair.len() == 2 { u8::from_str_radix(pair, 16).ok() } else { None })
        .collect::<Option<Vec<u8>>>()
}

/// Seconds with up to nine decimals, as whole nanoseconds: a float would round.
fn span(word: &str) -> Option<u64> {
    let (seconds, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || fraction.len() > 9 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// As Wireshark reads it.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Number(value) => value.fmt(f),
            Literal::Flag(value) => u8::from(*value).fmt(f),
            Literal::Ipv4(address, 32) => address.fmt(f),
            Literal::Ipv4(address, bits) => write!(f, "{address}/{bits}"),
            Literal::Ipv6(address, 128) => address.fmt(f),
            Literal::Ipv6(address, bits) => write!(f, "{address}/{bits}"),
            Literal::Mac(octets) => hex(f, octets),
            Literal::Bytes(octets) if octets.is_empty() => f.write_str("\"\""),
            Literal::Bytes(octets) => match std::str::from_utf8(octets) {
                Ok(text) if octets.len() > 1 && !text.contains(|character: char| character.is_control()) => {
                    quote(f, text)
                }
                Ok(_) | Err(_) => hex(f, octets),
            },
            Literal::Text(text) => quote(f, text),
            Literal::Span(nanos) => write!(f, "{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000),
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    for (index, octet) in octets.iter().enumerate() {
        write!(f, "{}{octet:02x}", if index == 0 { "" } else { ":" })?;
    }
    Ok(())
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}
