//! Nodes and links under one clock.
//!
//! [`World`] is the network itself, without I/O: packets move from stack to link to stack as time is told to it. Two
//! drivers tell it the time: [`sim`] from a virtual clock that jumps from event to event, [`live`] from the wall clock,
//! with doors to real kernels. Applications reach a node through its [`NodeHandle`], the same in both.

mod clock;
pub mod live;
mod node;
pub mod setup;
pub mod sim;
mod world;

pub use clock::Clock;
pub use node::{Interest, NodeHandle, Reporter};
pub use world::{End, World};
