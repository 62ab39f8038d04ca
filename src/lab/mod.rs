//! Lab definitions and their runs.
//!
//! What lives here: what a lab file says ([`Definition`]), where labs are found ([`Catalogue`]), how they are run
//! ([`run()`]), and on several stacks side by side ([`compare()`]).

mod catalogue;
mod compare;
mod definition;
pub mod diagnosis;
pub mod elsewhere;
mod falsify;
pub mod guide;
mod run;
#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, Entry, Track};
pub use compare::{Column, CompareError, CompareOptions, Comparison, Figures, Subject, Window, compare};
pub use definition::{
    Break, Budget, Definition, Falsifier, Fault, Host, Interface, Kernel, LabError, Layer, Link, LinkRule, Node,
    NodeKind, Phase, Place, Prediction, Route, Router, RouterRule, Step, Switch,
};
pub use falsify::{Falsified, Proof, falsify};
pub use run::{Finished, Mode, Options, RunError, StepFailure, Visit, Wanted, run, visit};
