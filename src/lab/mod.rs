//! Lab definitions and their runs.
//!
//! What lives here: what a lab file says ([`Definition`]), where labs are found ([`Catalogue`]).

mod catalogue;
mod definition;

pub use catalogue::{Catalogue, Entry};
pub use definition::{
    Break, Definition, Falsifier, LabError, Link, LinkRule, Node, NodeKind, PipeSettings, Place, Prediction, Step,
};
