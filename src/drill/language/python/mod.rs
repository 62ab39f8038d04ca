//! Code blocks: the little Python that scripts assert with.
//!
//! ```text
//! %{ assert tcpi_snd_cwnd == 10, 'cwnd=%d' % tcpi_snd_cwnd; assert 5000 <= tcpi_rtt <= 20000 }%
//! ```
//!
//! What is understood: `assert`, assignments to names, `print(…)`, `import`, `pass`, `if` on one line; integers, names,
//! comparisons (also chained), `in`, `and`, `or`, `not`, arithmetic, bits, `abs`, `min`, `max`. Numbers are exact: a
//! division that leaves a fraction is refused rather than rounded. What is not understood is an error of its own kind
//! ([`CodeError::Unsupported`]) and never a pass. packetdrill runs all blocks of a script after its end, as one program,
//! with the values of `tcp_info` at each block's time; so variables live on from block to block ([`Variables`]).

mod evaluate;
mod syntax;
mod tokens;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use evaluate::{Scope, Value};
use tree::{Expression, Statement};

/// What a name means outside the code: a field of `tcp_info` (`tcpi_snd_cwnd`) or a constant (`TCP_CA_Open`).
pub type Names<'a> = dyn Fn(&str) -> Option<i64> + 'a;

/// Why a block of code did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodeError {
    /// An assertion is false.
    #[error("line {line} of the code: {failure}")]
    Failed {
        /// Counted from 1, within the block.
        line: u32,
        /// What was asserted, and what it came to.
        failure: Box<Failure>,
    },
    /// The code cannot be judged: the script is unsupported.
    #[error("line {line} of the code: {what} is not supported")]
    Unsupported {
        /// Counted from 1, within the block.
        line: u32,
        /// What is not known.
        what: Box<str>,
    },
}

/// A false assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As written, without the message.
    pub expression: String,
    /// The same with the values of both sides: `9 == 10`.
    pub compared: String,
    /// The names in it and their values, in the order of the text.
    pub values: Vec<(String, i128)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` does not hold: {}", self.expression, self.compared)?;
        for (index, (name, value)) in self.values.iter().enumerate() {
            let before = if index == 0 { "; " } else { ", " };
            write!(f, "{before}{name} is {value}")?;
        }
        Ok(())
    }
}

/// What the blocks of one script have assigned so far.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, Value>,
}

/// Judges one block that stands alone.
///
/// # Errors
///
/// The first assertion that is false, or the first thing that is not understood.
pub fn check(text: &str, names: &Names<'_>) -> Result<(), CodeError> {
    check_next(text, names, &mut Variables::default())
}

/// Judges one block of several: `variables` carries what the earlier ones assigned. A name that `names` knows means that
/// again at the beginning of each block.
///
/// # Errors
///
/// As [`check`]. Nothing behind the error has been looked at.
pub fn check_next(text: &str, names: &Names<'_>, variables: &mut Variables) -> Result<(), CodeError> {
    let statements = syntax::parse(text)?;
    variables.values.retain(|name, _| names(name).is_none());
    let mut scope = Scope { names, variables: &mut variables.values };
    run(text, &statements, &mut scope)
}

fn run(text: &str, statements: &[(u32, Statement)], scope: &mut Scope<'_>) -> Result<(), CodeError> {
    for (line, statement) in statements {
        let unsupported = |what: String| CodeError::Unsupported { line: *line, what: what.into() };
        match statement {
            Statement::Assert(condition) => {
                if !scope.holds(condition).map_err(unsupported)? {
                    return Err(failed(text, *line, condition, scope));
                }
            }
            Statement::Assign(name, value) => {
                let value = scope.value(value).map_err(unsupported)?;
                scope.variables.insert(name.clone(), value);
            }
            Statement::Evaluate(expression) => {
                scope.value(expression).map_err(unsupported)?;
            }
            Statement::If(condition, body) => {
                if scope.holds(condition).map_err(unsupported)? {
                    run(text, body, scope)?;
                }
            }
        }
    }
    Ok(())
}

fn failed(text: &str, line: u32, condition: &Expression, scope: &Scope<'_>) -> CodeError {
    let mut values: Vec<(String, i128)> = Vec::new();
    condition.visit_names(&mut |name| {
        if let (Ok(Value::Integer(value) | Value::Float(value)), false) =
            (scope.named(name), values.iter().any(|(known, _)| known == name))
        {
            values.push((name.to_owned(), value));
        }
    });
    let expression = condition.text(text).split_whitespace().collect::<Vec<_>>().join(" ");
    CodeError::Failed { line, failure: Box::new(Failure { expression, compared: scope.shown(condition), values }) }
}
