//! Namespaces, devices and real programs.

pub mod wait;
