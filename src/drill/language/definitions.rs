//! `-D NAME=value`: words that a script leaves open.

use std::collections::BTreeMap;

use thiserror::Error;

/// The names that are defined, and what each stands for. A value is a word or a number; between double quotes it is a
/// text, between backquotes a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    values: BTreeMap<String, String>,
}

/// A definition that defines nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` defines nothing; write NAME=value")]
pub struct DefinitionError(pub String);

impl Definitions {
    /// None.
    pub fn new() -> Definitions {
        Definitions::default()
    }

    /// Takes `NAME=value`, as it stands on a command line. A later definition of a name replaces the earlier.
    ///
    /// # Errors
    ///
    /// Without a name or without `=`.
    pub fn define(&mut self, definition: &str) -> Result<(), DefinitionError> {
        match definition.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                self.values.insert(name.to_owned(), value.to_owned());
                Ok(())
            }
            Some(_) | None => Err(DefinitionError(definition.to_owned())),
        }
    }

    /// What `name` stands for.
    pub fn lookup(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// These and, for names that they leave open, those of `others`.
    pub(super) fn or(&self, others: &Definitions) -> Definitions {
        let mut both = others.clone();
        both.values.extend(self.values.iter().map(|(name, value)| (name.clone(), value.clone())));
        both
    }
}
