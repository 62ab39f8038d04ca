//! What makes a run a lesson: questions before it ([`predict`]), what a break has changed ([`changes`], packet by packet
//! [`difference`]), what comes next ([`next`]), and the memory of all that ([`progress`]).

pub(super) mod changes;
pub(super) mod difference;
pub(super) mod next;
pub(super) mod predict;
pub(super) mod progress;
