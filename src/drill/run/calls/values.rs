//! Values of a script as numbers, names, lists and records.

use crate::drill::language::script::Value;
use crate::drill::posix::{Errno, names};

/// Why a call cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nothing here can do this; the script is then unsupported.
    Unsupported(String),
    /// The script makes no sense.
    Script(String),
}

impl CallError {
    /// The script makes no sense.
    pub(super) fn script(reason: impl Into<String>) -> CallError {
        CallError::Script(reason.into())
    }
}

/// Names that scripts use beyond [`names`]: of other systems, and of the language itself.
const NAMES: &[(&str, i64)] = &[
    ("NULL", 0),
    ("IPTOS_DSCP_CS1", 0x20),
    ("IPTOS_DSCP_EF", 0xb8),
    ("IPTOS_LOWDELAY", 0x10),
    ("CMSG_LEVEL_IP", 0),
    ("PF_UNSPEC", 0),
    ("INADDR_ANY", 0),
];

/// What a value is as a number.
///
/// # Errors
/// [`CallError::Unsupported`] for an unknown name, [`CallError::Script`] for what is no number.
pub(super) fn number(value: &Value) -> Result<i64, CallError> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Name(name) => named(name).ok_or_else(|| CallError::Unsupported(format!("the name `{name}` is unknown"))),
        Value::Either(parts) => parts.iter().try_fold(0, |sum, part| Ok(sum | number(part)?)),
        // The order of octets matters where memory is looked at, and here nobody does.
        Value::Apply(function, arguments) if matches!(function.as_str(), "htons" | "htonl") => {
            match arguments.as_slice() {
                [only] => number(only),
                _ => Err(CallError::script(format!("{function}() takes one number"))),
            }
        }
        Value::Ellipsis | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Record(_) | Value::Apply(..) => {
            Err(CallError::script(format!("{} stands where a number is needed", kind(value))))
        }
    }
}

fn named(name: &str) -> Option<i64> {
    let linux = || names::number(name).map(i64::from);
    let errno = || Errno::named(name).map(|errno| i64::from(errno.0));
    let other = || NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    linux().or_else(errno).or_else(other)
}

/// As [`number`], in 32 bits; unsigned numbers keep their bits.
///
/// # Errors
/// As [`number`], and when it needs more bits.
pub(super) fn int(value: &Value) -> Result<i32, CallError> {
    let number = number(value)?;
    let unsigned = || u32::try_from(number).ok().map(|number| number as i32);
    i32::try_from(number)
        .ok()
        .or_else(unsigned)
        .ok_or_else(|| CallError::script(format!("{number} does not fit into 32 bits")))
}

/// What kind of value it is, for errors.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Ellipsis => "`...`",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a number with a point",
        Value::Text(_) => "a text",
        Value::Name(_) => "a name",
        Value::Either(_) => "a choice of flags",
        Value::List(_) => "a list",
        Value::Record(_) => "a structure",
        Value::Apply(..) => "a call",
    }
}

/// The arguments of a call, by position.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    /// The call's name, for errors.
    pub(super) call: &'a str,
    /// Its arguments.
    pub(super) values: &'a [Value],
}

impl<'a> Arguments<'a> {
    /// That there are so many.
    ///
    /// # Errors
    /// [`CallError::Script`] when there are not.
    pub(super) fn count(&self, allowed: std::ops::RangeInclusive<usize>) -> Result<(), CallError> {
        if allowed.contains(&self.values.len()) {
            return Ok(());
        }
        let (call, got) = (self.call, self.values.len());
        Err(CallError::script(format!("{call}() takes {} arguments, not {got}", allowed.start())))
    }

    /// One of them, counted from 0.
    ///
    /// # Errors
    /// [`CallError::Script`] when there are too few.
    pub(super) fn value(&self, index: usize) -> Result<&'a Value, CallError> {
        let missing = || CallError::script(format!("{}() has no argument {}", self.call, index + 1));
        self.values.get(index).ok_or_else(missing)
    }

    /// One of them as a number.
    ///
    /// # Errors
    /// As [`number`].
    pub(super) fn number(&self, index: usize) -> Result<i64, CallError> {
        number(self.value(index)?)
    }

    /// One of them as a number of 32 bits.
    ///
    /// # Errors
    /// As [`int`].
    pub(super) fn int(&self, index: usize) -> Result<i32, CallError> {
        int(self.value(index)?)
    }

    /// One of them as a count of octets.
    ///
    /// # Errors
    /// As [`number`], and when it is negative or more than any script needs.
    pub(super) fn length(&self, index: usize) -> Result<usize, CallError> {
        length(self.value(index)?)
    }

    /// Whether one of them is a good pointer (`...`) and not `NULL`.
    ///
    /// # Errors
    /// [`CallError::Script`] when it is neither.
    pub(super) fn is_good_pointer(&self, index: usize) -> Result<bool, CallError> {
        match self.value(index)? {
            Value::Ellipsis | Value::Text(_) => Ok(true),
            other => match number(other)? {
                0 => Ok(false),
                _ => Err(CallError::script("a pointer is either `...` or NULL")),
            },
        }
    }
}

/// Octets that a call moves at most: a bound on memory, beyond any script's needs.
const MOST_OCTETS: i64 = 1 << 26;

/// A count of octets.
///
/// # Errors
/// As [`number`], and when it is negative or more than any script needs.
pub(super) fn length(value: &Value) -> Result<usize, CallError> {
    let octets = number(value)?;
    if octets > MOST_OCTETS {
        return Err(CallError::Unsupported(format!("a call that moves {octets} octets (at most {MOST_OCTETS})")));
    }
    usize::try_from(octets).map_err(|_| CallError::script(format!("{octets} octets cannot be moved")))
}

/// A member of a record.
pub(super) fn member<'a>(members: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The members of a record.
///
/// # Errors
/// [`CallError::Script`] when it is none.
pub(super) fn record(value: &Value) -> Result<&[(String, Value)], CallError> {
    match value {
        Value::Record(members) => Ok(members),
        other => Err(CallError::script(format!("{} stands where a structure is needed", kind(other)))),
    }
}

/// The elements of a list.
///
/// # Errors
/// [`CallError::Script`] when it is none.
pub(super) fn list(value: &Value) -> Result<&[Value], CallError> {
    match value {
        Value::List(elements) => Ok(elements),
        other => Err(CallError::script(format!("{} stands where a list is needed", kind(other)))),
    }
}

/// The one element of a list.
///
/// # Errors
/// [`CallError::Script`] when it is no list of one.
pub(super) fn only(value: &Value) -> Result<&Value, CallError> {
    match list(value)? {
        [only] => Ok(only),
        elements => Err(CallError::script(format!("a list of one value is needed, not of {}", elements.len()))),
    }
}
