//! Expressions to values.

use std::collections::BTreeMap;

use super::Names;
use super::tree::{Comparison, Expression, Kind, Operator, Sign};

/// Whole numbers up to here are exact as Python's floats.
const MAX_FLOAT: u128 = 1 << 53;
/// How many values a sequence may hold, those within others counted: variables let it double, or nest, with each line.
const MAX_SIZE: usize = 1000;

/// A value. Truth values are 1 and 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number.
    Integer(i128),
    /// A number with a point that happens to be whole.
    Float(i128),
    /// A text, formatted or not: nothing but a message can be made of it.
    Text,
    /// Several values.
    Sequence(Vec<Value>),
}

impl Value {
    /// Itself, and all values in it.
    fn size(&self) -> usize {
        match self {
            Value::Integer(_) | Value::Float(_) | Value::Text => 1,
            Value::Sequence(parts) => 1 + parts.iter().map(Value::size).sum::<usize>(),
        }
    }
}

/// What names mean.
pub(super) struct Scope<'a> {
    /// Outside.
    pub(super) names: &'a Names<'a>,
    /// Assigned by the code, which wins.
    pub(super) variables: &'a mut BTreeMap<String, Value>,
}

impl Scope<'_> {
    /// The value of `name`, or what is wrong with it.
    pub(super) fn named(&self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.variables.get(name) {
            return Ok(value.clone());
        }
        match (name, (self.names)(name)) {
            (_, Some(value)) => Ok(Value::Integer(i128::from(value))),
            ("True", None) => Ok(Value::Integer(1)),
            ("False", None) => Ok(Value::Integer(0)),
            (_, None) => Err(format!("the name `{name}`")),
        }
    }

    /// Whether `expression` is true.
    pub(super) fn holds(&self, expression: &Expression) -> Result<bool, String> {
        truth(&self.value(expression)?)
    }

    /// The value of `expression`, or what cannot be judged in it.
    pub(super) fn value(&self, expression: &Expression) -> Result<Value, String> {
        match &expression.kind {
            Kind::Number(number) => Ok(Value::Integer(*number)),
            Kind::Float(number) => float(*number),
            Kind::Text => Ok(Value::Text),
            Kind::Name(name) => self.named(name),
            Kind::Sequence(parts) => self.values(parts).map(Value::Sequence),
            Kind::Signed(sign, inner) => signed(*sign, self.value(inner)?),
            Kind::Binary(operator, left, right) => binary(*operator, self.value(left)?, self.value(right)?),
            Kind::Compare(first, others) => self.compare(first, others).map(boolean),
            Kind::Not(inner) => self.holds(inner).map(|holds| boolean(!holds)),
            Kind::And(parts) => self.until(parts, false),
            Kind::Or(parts) => self.until(parts, true),
            Kind::Call(name, arguments) => call(name, self.values(arguments)?),
        }
    }

    fn values(&self, expressions: &[Expression]) -> Result<Vec<Value>, String> {
        let (mut values, mut size) = (Vec::new(), 0);
        for expression in expressions {
            let value = self.value(expression)?;
            size += value.size();
            if size > MAX_SIZE {
                return Err("so many values at once".to_owned());
            }
            values.push(value);
        }
        Ok(values)
    }

    /// The first value whose truth is `stop`, else the last: what follows it is not looked at.
    fn until(&self, parts: &[Expression], stop: bool) -> Result<Value, String> {
        let mut value = boolean(!stop);
        for part in parts {
            value = self.value(part)?;
            if truth(&value)? == stop {
                break;
            }
        }
        Ok(value)
    }

    fn compare(&self, first: &Expression, others: &[(Comparison, Expression)]) -> Result<bool, String> {
        let mut left = self.value(first)?;
        for (comparison, right) in others {
            let right = self.value(right)?;
            if !compared(*comparison, &left, &right)? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    /// `expression` with the values of what is compared in it: `9 == 10`.
    pub(super) fn shown(&self, expression: &Expression) -> String {
        let joined =
            |parts: &[Expression], word: &str| parts.iter().map(|part| self.shown(part)).collect::<Vec<_>>().join(word);
        match &expression.kind {
            Kind::Compare(first, others) => {
                let others: Vec<String> = others
                    .iter()
                    .map(|(comparison, other)| format!(" {} {}", comparison.symbol(), self.shown(other)))
                    .collect();
                format!("{}{}", self.shown(first), others.concat())
            }
            Kind::Not(inner) => format!("not ({})", self.shown(inner)),
            Kind::And(parts) => joined(parts, " and "),
            Kind::Or(parts) => joined(parts, " or "),
            Kind::Number(_)
            | Kind::Float(_)
            | Kind::Text
            | Kind::Name(_)
            | Kind::Sequence(_)
            | Kind::Signed(..)
            | Kind::Binary(..)
            | Kind::Call(..) => self.value(expression).map_or_else(|_| "?".to_owned(), |value| written(&value)),
        }
    }
}

fn boolean(holds: bool) -> Value {
    Value::Integer(i128::from(holds))
}

fn written(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number}.0"),
        Value::Text => "a text".to_owned(),
        Value::Sequence(parts) => format!("({})", parts.iter().map(written).collect::<Vec<_>>().join(", ")),
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Integer(number) | Value::Float(number) => Ok(*number != 0),
        Value::Text => Err("the truth of a text".to_owned()),
        Value::Sequence(parts) => Ok(!parts.is_empty()),
    }
}

fn number(value: &Value) -> Result<i128, String> {
    match value {
        Value::Integer(number) | Value::Float(number) => Ok(*number),
        Value::Text => Err("arithmetic with a text".to_owned()),
        Value::Sequence(_) => Err("arithmetic with several values".to_owned()),
    }
}

fn integer(value: &Value) -> Result<i128, String> {
    match value {
        Value::Float(_) => Err("the bits of a number with a point".to_owned()),
        Value::Integer(_) | Value::Text | Value::Sequence(_) => number(value),
    }
}

fn float(number: i128) -> Result<Value, String> {
    if number.unsigned_abs() > MAX_FLOAT { Err("so large a number".to_owned()) } else { Ok(Value::Float(number)) }
}

fn signed(sign: Sign, value: Value) -> Result<Value, String> {
    let too_large = || "so large a number".to_owned();
    match (sign, &value) {
        (Sign::Invert, _) => integer(&value).map(|number| Value::Integer(!number)),
        (Sign::Plus, _) => number(&value).map(|_| value),
        (Sign::Minus, Value::Float(number)) => float(-number),
        (Sign::Minus, _) => number(&value)?.checked_neg().map(Value::Integer).ok_or_else(too_large),
    }
}

fn binary(operator: Operator, left: Value, right: Value) -> Result<Value, String> {
    if matches!((operator, &left), (Operator::Modulo, Value::Text)) {
        return Ok(Value::Text);
    }
    if matches!((operator, &left, &right), (Operator::Add, Value::Text, Value::Text)) {
        return Ok(Value::Text);
    }
    let is_float = matches!(left, Value::Float(_)) || matches!(right, Value::Float(_));
    let result = match operator {
        Operator::Or => Some(integer(&left)? | integer(&right)?),
        Operator::Xor => Some(integer(&left)? ^ integer(&right)?),
        Operator::And => Some(integer(&left)? & integer(&right)?),
        Operator::Left => shifted(integer(&left)?, integer(&right)?),
        Operator::Right => {
            let number = integer(&left)?;
            u32::try_from(integer(&right)?).ok().map(|bits| number >> bits.min(127))
        }
        Operator::Add => number(&left)?.checked_add(number(&right)?),
        Operator::Subtract => number(&left)?.checked_sub(number(&right)?),
        Operator::Multiply => number(&left)?.checked_mul(number(&right)?),
        Operator::Divide => {
            let (left, right) = (number(&left)?, number(&right)?);
            return match (left.checked_rem(right), left.checked_div(right)) {
                (Some(0), Some(quotient)) => float(quotient),
                (Some(_), _) => Err("a division that leaves a fraction".to_owned()),
                (None, _) => Err("a division by zero".to_owned()),
            };
        }
        Operator::Floor => floored(number(&left)?, number(&right)?).map(|(quotient, _)| quotient),
        Operator::Modulo => floored(number(&left)?, number(&right)?).map(|(_, rest)| rest),
    };
    match result {
        Some(number) if is_float => float(number),
        Some(number) => Ok(Value::Integer(number)),
        None => Err("a division by zero, or so large a number,".to_owned()),
    }
}

fn shifted(number: i128, bits: i128) -> Option<i128> {
    let factor = u32::try_from(bits).ok().filter(|bits| *bits < 126).map(|bits| 1_i128 << bits)?;
    number.checked_mul(factor)
}

/// The quotient rounded down, and the rest, which has the divisor's sign.
fn floored(left: i128, right: i128) -> Option<(i128, i128)> {
    let (quotient, rest) = (left.checked_div(right)?, left.checked_rem(right)?);
    let is_rounded_up = rest != 0 && (rest < 0) != (right < 0);
    Some(if is_rounded_up { (quotient - 1, rest + right) } else { (quotient, rest) })
}

fn compared(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, String> {
    if let (Comparison::In | Comparison::NotIn, Value::Sequence(parts)) = (comparison, right) {
        let left = number(left)?;
        let parts: Vec<i128> = parts.iter().map(number).collect::<Result<_, _>>()?;
        return Ok(parts.contains(&left) == (comparison == Comparison::In));
    }
    let (Ok(left), Ok(right)) = (number(left), number(right)) else {
        return Err("a comparison of anything but numbers".to_owned());
    };
    match comparison {
        Comparison::Equal => Ok(left == right),
        Comparison::NotEqual => Ok(left != right),
        Comparison::Less => Ok(left < right),
        Comparison::LessOrEqual => Ok(left <= right),
        Comparison::Greater => Ok(left > right),
        Comparison::GreaterOrEqual => Ok(left >= right),
        Comparison::In | Comparison::NotIn => Err("`in` a number".to_owned()),
    }
}

fn call(name: &str, arguments: Vec<Value>) -> Result<Value, String> {
    let numbers = || arguments.iter().map(integer).collect::<Result<Vec<i128>, String>>();
    let found = match (name, arguments.len()) {
        ("print", _) => return Ok(Value::Sequence(Vec::new())),
        ("abs", 1) => numbers()?.first().and_then(|number| number.checked_abs()),
        ("min", 2..) => numbers()?.into_iter().min(),
        ("max", 2..) => numbers()?.into_iter().max(),
        (_, _) => None,
    };
    found.map(Value::Integer).ok_or_else(|| format!("`{name}()`"))
}
