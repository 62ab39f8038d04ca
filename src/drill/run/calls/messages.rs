//! Buffers, vectors, messages and addresses in the arguments of calls.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use super::values::{self, CallError};
use crate::drill::language::script::Value;
use crate::drill::posix::{Address, Control, OptionValue, names};

/// `[{..., 10}, {..., 20}]`: octets in all; `count` is the count that the script gives beside it.
///
/// # Errors
/// [`CallError`] when it is no such list, or the counts differ.
pub(super) fn vector(value: &Value, count: i64) -> Result<usize, CallError> {
    let parts = values::list(value)?;
    if usize::try_from(count) != Ok(parts.len()) {
        return Err(CallError::script(format!("{count} buffers are announced, {} are there", parts.len())));
    }
    let mut octets = 0usize;
    for part in parts {
        match values::record(part)? {
            [(_, Value::Ellipsis), (_, length)] => octets += values::length(length)?,
            _ => return Err(CallError::script("a buffer is written `{..., octets}`")),
        }
    }
    Ok(octets)
}

/// A `struct msghdr`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message {
    /// Whether it names an address.
    pub(super) has_name: bool,
    /// Octets of its buffers.
    pub(super) octets: usize,
    /// `msg_flags`.
    pub(super) flags: i32,
    /// Its ancillary data; `None` when nothing is said of it.
    pub(super) control: Option<Vec<Control>>,
}

/// Reads `{msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0, msg_control=[…]}`.
///
/// # Errors
/// [`CallError`] when it is no such structure.
pub(super) fn message(value: &Value) -> Result<Message, CallError> {
    let members = values::record(value)?;
    let mut message = Message::default();
    for (name, value) in members {
        match name.as_str() {
            "msg_name" => message.has_name = true,
            "msg_iov" => {
                let count = values::member(members, "msg_iovlen").map_or(Ok(1), values::number)?;
                message.octets = vector(value, count)?;
            }
            "msg_flags" => message.flags = values::int(value)?,
            "msg_control" => {
                message.control = Some(values::list(value)?.iter().map(control).collect::<Result<_, _>>()?);
            }
            "msg_namelen" | "msg_iovlen" | "msg_controllen" => {}
            other => return Err(CallError::Unsupported(format!("the member `{other}` of a message"))),
        }
    }
    Ok(message)
}

/// One piece of ancillary data: only those that carry a number.
fn control(value: &Value) -> Result<Control, CallError> {
    let members = values::record(value)?;
    let part = |name: &str| {
        values::member(members, name).ok_or_else(|| CallError::script(format!("ancillary data without {name}")))
    };
    let (level, kind) = (values::int(part("cmsg_level")?)?, values::int(part("cmsg_type")?)?);
    match part("cmsg_data")? {
        Value::Record(_) | Value::List(_) => {
            Err(CallError::Unsupported("ancillary data that is more than a number".to_owned()))
        }
        number => {
            let data = Bytes::copy_from_slice(&values::int(number)?.to_ne_bytes());
            Ok(Control { level, kind, data })
        }
    }
}

/// Where `...` stands for an address, `usual` is meant; else the family, or the structure, that is written.
///
/// # Errors
/// [`CallError`] when it is neither.
pub(super) fn address(value: &Value, usual: SocketAddr) -> Result<Address, CallError> {
    match value {
        Value::Ellipsis => Ok(Address::Internet(usual)),
        Value::Record(members) => internet(members, usual),
        Value::Integer(0) => Ok(Address::Bad),
        Value::Name(name) if name == "NULL" => Ok(Address::Bad),
        family => match values::int(family)? {
            names::AF_UNSPEC => Ok(Address::Unspecified),
            names::AF_INET | names::AF_INET6 => Ok(Address::Short),
            other => Ok(Address::Other(u16::try_from(other).unwrap_or(u16::MAX))),
        },
    }
}

/// `{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.168.0.1")}`
fn internet(members: &[(String, Value)], usual: SocketAddr) -> Result<Address, CallError> {
    let mut end = usual;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("sa_family" | "sin_family" | "sin6_family", family) => match values::int(family)? {
                names::AF_INET | names::AF_INET6 => {}
                names::AF_UNSPEC => return Ok(Address::Unspecified),
                other => return Ok(Address::Other(u16::try_from(other).unwrap_or(u16::MAX))),
            },
            ("sin_port" | "sin6_port", port) => {
                let port = u16::try_from(values::number(port)?).map_err(|_| CallError::script("no such port"))?;
                end.set_port(port);
            }
            ("sin_addr" | "sin6_addr", Value::Apply(_, arguments)) => match arguments.as_slice() {
                [Value::Text(text)] => end.set_ip(ip(text)?),
                _ => return Err(CallError::script("an address is a text")),
            },
            ("sin_addr" | "sin6_addr", Value::Text(text)) => end.set_ip(ip(text)?),
            (other, _) => return Err(CallError::Unsupported(format!("the member `{other}` of an address"))),
        }
    }
    Ok(Address::Internet(end))
}

fn ip(text: &[u8]) -> Result<IpAddr, CallError> {
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| CallError::script(format!("`{text}` is no address")))
}

/// The value of a socket option as a script writes it: `[1]`, `{onoff=1, linger=2}`, a text, `NULL`.
///
/// # Errors
/// [`CallError`] when it is none of these.
pub(super) fn option(value: &Value, length: i64) -> Result<OptionValue, CallError> {
    match value {
        Value::List(_) if length <= 0 => Ok(OptionValue::Short),
        Value::List(_) => Ok(OptionValue::Int(values::int(values::only(value)?)?)),
        Value::Text(octets) => {
            let length = usize::try_from(length).unwrap_or(0).min(octets.len());
            Ok(OptionValue::Bytes(Bytes::copy_from_slice(&octets[..length])))
        }
        Value::Record(members) => structure(members),
        Value::Name(name) if name == "NULL" => Ok(OptionValue::Bad),
        Value::Integer(0) => Ok(OptionValue::Bad),
        other => Err(CallError::Unsupported(format!("{} as the value of an option", values::kind(other)))),
    }
}

fn structure(members: &[(String, Value)]) -> Result<OptionValue, CallError> {
    let part = |name: &str| values::member(members, name).map(values::number).transpose();
    if let (Some(on), Some(linger)) = (part("onoff")?, part("linger")?) {
        let seconds = u32::try_from(linger).map_err(|_| CallError::script("a negative linger time"))?;
        return Ok(OptionValue::Linger((on != 0).then_some(seconds)));
    }
    if let (Some(seconds), Some(micros)) = (part("tv_sec")?, part("tv_usec")?) {
        let (Ok(seconds), Ok(micros)) = (u64::try_from(seconds), u32::try_from(micros)) else {
            return Err(CallError::script("a negative time"));
        };
        return Ok(OptionValue::Time(Duration::from_secs(seconds) + Duration::from_micros(micros.into())));
    }
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    Err(CallError::Unsupported(format!("a structure of {} as the value of an option", names.join(", "))))
}
