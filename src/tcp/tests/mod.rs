//! The engine, tested from outside: segments in, segments out, in virtual time.
//!
//! | the test is about | file |
//! |---|---|
//! | the handshake, and who may open what | [`opening`] |

mod notation;
mod wire;

mod arriving;
mod opening;
