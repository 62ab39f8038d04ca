//! Nodes, links and one clock.
