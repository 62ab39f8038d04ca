//! What makes a run a lesson: questions before it ([`predict`]), what a break has changed ([`changes`], packet by packet
//! [`difference`]), what comes next ([`next`]), where the time went ([`spent`]), whether a hidden fault was found ([`found`]), and the memory of all that
//! ([`progress`]).

pub(super) mod changes;
pub(super) mod difference;
pub(super) mod found;
pub(super) mod next;
pub(super) mod predict;
pub(super) mod progress;
pub(super) mod spent;
