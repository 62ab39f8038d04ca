//! Whether a subject passes.

use std::cmp::Ordering;

use super::field::Value;
use super::lexer::Operator;
use super::literal::Literal;
use super::syntax::{Expression, Member, Operand};
use super::{Subject, event, view};

impl Expression {
    /// Whether the subject passes. Fields that it has not, and events' fields asked of packets or the reverse, are absent.
    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        match self {
            Expression::And(parts) => parts.iter().all(|part| part.matches(subject)),
            Expression::Or(parts) => parts.iter().any(|part| part.matches(subject)),
            Expression::Not(part) => !part.matches(subject),
            Expression::Exists(operand) => match (operand, subject) {
                (Operand::Packet(field), Subject::Packet(packet)) => !view::values(field, packet).is_empty(),
                (Operand::Event(member), Subject::Event(entry)) => event::value(entry, member).is_some(),
                (Operand::Packet(_), Subject::Event(_)) | (Operand::Event(_), Subject::Packet(_)) => false,
            },
            Expression::Compare(operand, operator, literal) => match (operand, subject) {
                (Operand::Packet(field), Subject::Packet(packet)) => {
                    compares(&view::values(field, packet), *operator, literal)
                }
                (Operand::Event(member), Subject::Event(entry)) => {
                    event::value(entry, member).is_some_and(|value| event::compares(&value, *operator, literal.text()))
                }
                (Operand::Packet(_), Subject::Event(_)) | (Operand::Event(_), Subject::Packet(_)) => false,
            },
            Expression::In(operand, members) => match (operand, subject) {
                (Operand::Packet(field), Subject::Packet(packet)) => view::values(field, packet)
                    .iter()
                    .any(|value| members.iter().any(|member| is_member(|literal| literal.order_of(value), member))),
                (Operand::Event(name), Subject::Event(entry)) => event::value(entry, name).is_some_and(|value| {
                    members.iter().any(|member| is_member(|literal| event::order(&value, literal.text()), member))
                }),
                (Operand::Packet(_), Subject::Event(_)) | (Operand::Event(_), Subject::Packet(_)) => false,
            },
        }
    }
}

/// Wireshark 4: `!=` needs the field to be there and all of its values to differ; all else needs one value.
fn compares(values: &[Value<'_>], operator: Operator, literal: &Literal) -> bool {
    let mut values = values.iter();
    match operator {
        Operator::Ne => values.len() > 0 && values.all(|value| holds(value, operator, literal)),
        Operator::Eq | Operator::Gt | Operator::Lt | Operator::Ge | Operator::Le | Operator::Contains => {
            values.any(|value| holds(value, operator, literal))
        }
    }
}

fn holds(value: &Value<'_>, operator: Operator, literal: &Literal) -> bool {
    let order = literal.order_of(value);
    match operator {
        Operator::Eq => order == Some(Ordering::Equal),
        Operator::Ne => order.is_some_and(Ordering::is_ne),
        Operator::Gt => order.is_some_and(Ordering::is_gt),
        Operator::Lt => order.is_some_and(Ordering::is_lt),
        Operator::Ge => order.is_some_and(Ordering::is_ge),
        Operator::Le => order.is_some_and(Ordering::is_le),
        Operator::Contains => literal.is_within(value),
    }
}

fn is_member(order_of: impl Fn(&Literal) -> Option<Ordering>, member: &Member) -> bool {
    match member {
        Member::One(literal) => order_of(literal) == Some(Ordering::Equal),
        Member::Range(low, high) => {
            order_of(low).is_some_and(Ordering::is_ge) && order_of(high).is_some_and(Ordering::is_le)
        }
    }
}
