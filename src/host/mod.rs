//! Namespaces, devices and real programs.
