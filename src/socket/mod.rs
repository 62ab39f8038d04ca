//! Sockets for tokio over a userspace stack.
