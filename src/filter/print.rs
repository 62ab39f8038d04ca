//! A filter as text that Wireshark takes.

use std::fmt;

use super::syntax::{Expression, Member};

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::And(parts) => {
                join(f, parts, " && ", |f, part| parenthesized(f, part, matches!(part, Expression::Or(_))))
            }
            Expression::Or(parts) => join(f, parts, " || ", |f, part| write!(f, "{part}")),
            Expression::Not(part) => {
                f.write_str("!")?;
                parenthesized(f, part, !matches!(**part, Expression::Exists(_) | Expression::Not(_)))
            }
            Expression::Exists(operand) => f.write_str(&operand.name()),
            Expression::Compare(operand, operator, literal) => {
                write!(f, "{} {} {literal}", operand.name(), operator.symbol())
            }
            Expression::In(operand, members) => {
                write!(f, "{} in {{", operand.name())?;
                join(f, members, ", ", |f, member| match member {
                    Member::One(literal) => literal.fmt(f),
                    Member::Range(low, high) => write!(f, "{low} .. {high}"),
                })?;
                f.write_str("}")
            }
        }
    }
}

fn parenthesized(f: &mut fmt::Formatter<'_>, part: &Expression, wanted: bool) -> fmt::Result {
    if wanted { write!(f, "({part})") } else { write!(f, "{part}") }
}

fn join<T>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    between: &str,
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write(f, part)?;
    }
    Ok(())
}
