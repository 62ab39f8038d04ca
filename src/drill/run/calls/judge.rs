//! Whether a call was answered as the script says.

use super::plan::Check;
use super::values::{self, CallError};
use crate::drill::language::script::{Call, Value};
use crate::drill::packets::pattern;
use crate::drill::posix::{Control, Errno, OptionValue, Received, Reply, Written};

/// The first thing in which an answer differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What of the answer.
    pub what: String,
    /// What the script expects.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl Mismatch {
    fn new(what: impl Into<String>, expected: impl ToString, actual: impl ToString) -> Mismatch {
        Mismatch { what: what.into(), expected: expected.to_string(), actual: actual.to_string() }
    }
}

/// Compares the end of a call with what the script says. `read` is where in its stream the descriptor stood.
///
/// # Errors
/// [`CallError`] when the script's result is no result.
pub fn judge(
    call: &Call,
    check: &Check,
    answer: &Result<Reply, Errno>,
    read: u64,
) -> Result<Option<Mismatch>, CallError> {
    if let Some(mismatch) = judge_number(call, check, answer)? {
        return Ok(Some(mismatch));
    }
    let Ok(reply) = answer else { return Ok(None) };
    Ok(judge_written(check, reply, read))
}

/// The number that a call returns, and its errno.
fn judge_number(call: &Call, check: &Check, answer: &Result<Reply, Errno>) -> Result<Option<Mismatch>, CallError> {
    let expected = match &call.result {
        None | Some(Value::Ellipsis) => return Ok(None),
        Some(value) => values::number(value)?,
    };
    let told = |answer: &Result<Reply, Errno>| match answer {
        Ok(reply) => reply.value.to_string(),
        Err(errno) => format!("-1 {errno}"),
    };
    let errno = match &call.errno {
        None => None,
        Some(name) => {
            let unknown = || CallError::Unsupported(format!("the error `{name}` is unknown"));
            Some(Errno::named(name).ok_or_else(unknown)?)
        }
    };
    let wanted = match errno {
        Some(errno) => format!("{expected} {errno}"),
        None => expected.to_string(),
    };
    let is_descriptor = matches!(check, Check::Descriptor(_));
    let agrees = match answer {
        Ok(reply) if is_descriptor && expected >= 0 => reply.value >= 0,
        Ok(reply) => reply.value == expected && errno.is_none(),
        Err(actual) => expected == -1 && errno.is_none_or(|errno| errno == *actual),
    };
    Ok((!agrees).then(|| Mismatch::new("the result", wanted, told(answer))))
}

fn judge_written(check: &Check, reply: &Reply, read: u64) -> Option<Mismatch> {
    match (check, &reply.written) {
        (Check::Option(expected, length), Written::Option(actual)) => judge_option(expected, *length, actual),
        (Check::Number32(expected), Written::Number(actual)) if expected != actual => {
            Some(Mismatch::new("the number behind the pointer", expected, actual))
        }
        (Check::Poll(expected), Written::Poll(fds)) => {
            let pairs = expected.iter().zip(fds).enumerate();
            let differs = pairs.into_iter().find(|(_, (expected, fd))| **expected != fd.revents);
            differs.map(|(index, (expected, fd))| {
                let what = format!("revents of descriptor {} in the list", index + 1);
                Mismatch::new(what, format!("{expected:#x}"), format!("{:#x}", fd.revents))
            })
        }
        (Check::Epoll(expected), written) => {
            let first = match written {
                Written::Epoll(events) => events.first().copied(),
                _ => None,
            };
            let (events, data) = first.map_or((0, 0), |event| (event.events, event.data));
            if expected.events != events {
                return Some(Mismatch::new("events", format!("{:#x}", expected.events), format!("{events:#x}")));
            }
            (expected.data != data).then(|| Mismatch::new("the event's data", expected.data, data))
        }
        (Check::Received { is_followed, message, .. }, Written::Received(received)) => {
            let data = is_followed.then(|| judge_data(received, read)).flatten();
            data.or_else(|| message.as_ref().and_then(|message| judge_message(message, received)))
        }
        _ => None,
    }
}

fn judge_option(expected: &OptionValue, length: i64, actual: &OptionValue) -> Option<Mismatch> {
    let octets = match actual {
        OptionValue::Int(_) => 4,
        OptionValue::Linger(_) => 8,
        OptionValue::Time(_) => 16,
        OptionValue::Bytes(octets) => octets.len() as i64,
        OptionValue::Bad | OptionValue::Short => 0,
    };
    // A single octet is read of a number that fits.
    if length != octets && !(length == 1 && octets == 4) {
        return Some(Mismatch::new("the option's length", length, octets));
    }
    let tell = |value: &OptionValue| match value {
        OptionValue::Int(number) => number.to_string(),
        OptionValue::Bytes(octets) => format!("{:?}", String::from_utf8_lossy(octets)),
        OptionValue::Linger(seconds) => format!("{seconds:?}"),
        OptionValue::Time(time) => format!("{time:?}"),
        OptionValue::Bad | OptionValue::Short => "nothing".to_owned(),
    };
    (expected != actual).then(|| Mismatch::new("the option's value", tell(expected), tell(actual)))
}

/// Whether the octets read are those that the script has sent.
fn judge_data(received: &Received, read: u64) -> Option<Mismatch> {
    // A datagram is a stream of its own.
    let position = if received.from.is_some() { 0 } else { read };
    let index = pattern::check(position, &received.data).err()?;
    let at = position + index as u64;
    let got = received.data.get(index).copied().unwrap_or(0);
    let what = format!("octet {at} of the stream");
    Some(Mismatch::new(what, format!("{:#04x}", pattern::octet(at)), format!("{got:#04x}")))
}

fn judge_message((flags, control): &(i32, Vec<Control>), received: &Received) -> Option<Mismatch> {
    if *flags != received.flags {
        return Some(Mismatch::new("msg_flags", format!("{flags:#x}"), format!("{:#x}", received.flags)));
    }
    (*control != received.control)
        .then(|| Mismatch::new("msg_control", format!("{control:?}"), format!("{:?}", received.control)))
}
