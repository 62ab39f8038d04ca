//! What a filter says, as a tree.

use super::field::Field;
use super::lexer::Operator;
use super::literal::Literal;

/// A filter, or a part of one.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    /// All of them.
    And(Vec<Expression>),
    /// At least one of them.
    Or(Vec<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// The field is there.
    Exists(Operand),
    /// The field compares so with the value.
    Compare(Operand, Operator, Literal),
    /// Any value of the field is in the set.
    In(Operand, Vec<Member>),
}

/// What stands on the left of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A field of packets.
    Packet(&'static Field),
    /// A member of a journal entry, without `event.`.
    Event(&'static str),
}

impl Operand {
    /// As it is written in a filter.
    pub(super) fn name(&self) -> String {
        match self {
            Operand::Packet(field) => field.name.to_owned(),
            Operand::Event(member) => format!("event.{member}"),
        }
    }
}

/// A member of a set.
#[derive(Clone, Debug)]
pub(super) enum Member {
    /// This value.
    One(Literal),
    /// From the first to the second, both included.
    Range(Literal, Literal),
}

impl Expression {
    /// Whether any operand in it fulfils `test`.
    pub(super) fn any_operand(&self, test: &impl Fn(&Operand) -> bool) -> bool {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().any(|part| part.any_operand(test)),
            Expression::Not(part) => part.any_operand(test),
            Expression::Exists(operand) | Expression::Compare(operand, _, _) | Expression::In(operand, _) => {
                test(operand)
            }
        }
    }
}
