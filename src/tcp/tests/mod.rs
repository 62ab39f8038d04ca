//! The engine, tested from outside: segments in, segments out, in virtual time.
//!
//! | the test is about | file |
//! |---|---|
//! | the handshake, and who may open what | [`opening`] |
//! | the retransmission timer | [`timing_out`] |

mod notation;
mod wire;

mod arriving;
mod opening;
mod timing_out;
