//! What makes a run a lesson: questions before it ([`predict`]), what a break has changed ([`changes`]), what comes next
//! ([`next`]), and the memory of all that ([`progress`]).

pub(super) mod changes;
pub(super) mod next;
pub(super) mod predict;
pub(super) mod progress;
