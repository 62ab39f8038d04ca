//! Namespaces, devices and real programs.

pub mod doctor;
pub mod terminal;
