//! The script's system calls: what they ask ([`plan()`]), and whether they were answered as the script says ([`judge()`]).
//!
//! ```text
//!   Call ──► plan ──► Request ──► Posix ──► Outcome ──► judge ──► as expected, or the first difference
//!              └── what to look at in the answer ─────────┘
//! ```

mod descriptors;
mod judge;
mod messages;
mod plan;
mod values;

pub use descriptors::{Descriptor, Descriptors, Kind};
pub use judge::{Mismatch, judge};
pub use plan::{Check, Effect, Environment, Plan, plan};
pub use values::CallError;
