//! Algorithms over a small model of a network: what they make of it, and whether two of them share it.

mod bottleneck;
mod cubic;
mod hystart;
mod reno;
