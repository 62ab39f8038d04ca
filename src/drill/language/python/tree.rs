//! Statements and expressions, as values.

/// What a line does.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    /// This must be true.
    Assert(Expression),
    /// `name = value`; what `+=` and its like mean stands in the value.
    Assign(String, Expression),
    /// A value that nobody wants: `print(…)`.
    Evaluate(Expression),
    /// `if condition: statements`
    If(Expression, Vec<(u32, Statement)>),
}

/// An operator between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    Xor,
    And,
    Left,
    Right,
    Add,
    Subtract,
    Multiply,
    /// `/`: with a fraction, if there is one.
    Divide,
    /// `//`: rounded down.
    Floor,
    Modulo,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

impl Comparison {
    /// As written.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::In => "in",
            Comparison::NotIn => "not in",
        }
    }
}

/// A sign before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Minus,
    Plus,
    /// `~`
    Invert,
}

/// A value as written, and where.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) kind: Kind,
    start: usize,
    end: usize,
    /// How many values stand within each other.
    height: usize,
}

/// What kind of value.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Number(i128),
    Float(i128),
    Text,
    Name(String),
    /// A tuple, list or set.
    Sequence(Vec<Expression>),
    Signed(Sign, Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// Chained: each with its neighbour.
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Call(String, Vec<Expression>),
}

impl Expression {
    /// A value that stands in these octets of the code.
    pub(super) fn new(kind: Kind, start: usize, end: usize) -> Expression {
        let tallest = |parts: &[Expression]| parts.iter().map(|part| part.height).max().unwrap_or_default();
        let inner = match &kind {
            Kind::Number(_) | Kind::Float(_) | Kind::Text | Kind::Name(_) => 0,
            Kind::Signed(_, inner) | Kind::Not(inner) => inner.height,
            Kind::Binary(_, left, right) => left.height.max(right.height),
            Kind::Compare(first, others) => others.iter().map(|(_, part)| part.height).fold(first.height, usize::max),
            Kind::Sequence(parts) | Kind::And(parts) | Kind::Or(parts) | Kind::Call(_, parts) => tallest(parts),
        };
        Expression { kind, start, end, height: inner + 1 }
    }

    /// The octet of the code behind it.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// How many values stand within each other; 1 for one that has nothing within it.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// As it stands in `code`, round brackets around it left out.
    pub(super) fn text<'a>(&self, code: &'a str) -> &'a str {
        code.get(self.start..self.end).unwrap_or_default()
    }

    /// Shows every name to `visit`, in the order of the text.
    pub(super) fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        match &self.kind {
            Kind::Number(_) | Kind::Float(_) | Kind::Text => {}
            Kind::Name(name) => visit(name),
            Kind::Signed(_, inner) | Kind::Not(inner) => inner.visit_names(visit),
            Kind::Binary(_, left, right) => {
                left.visit_names(visit);
                right.visit_names(visit);
            }
            Kind::Compare(first, others) => {
                first.visit_names(visit);
                others.iter().for_each(|(_, other)| other.visit_names(visit));
            }
            Kind::Sequence(parts) | Kind::And(parts) | Kind::Or(parts) | Kind::Call(_, parts) => {
                parts.iter().for_each(|part| part.visit_names(visit));
            }
        }
    }
}
