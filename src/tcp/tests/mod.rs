//! The engine, tested from outside: segments in, segments out, in virtual time.
//!
//! | the test is about | file |
//! |---|---|
//! | the handshake, and who may open what | [`opening`] |
//! | … with data in its first segment | [`fastopen`] |
//! | … when there are too many | [`cookies`] |
//! | the retransmission timer | [`timing_out`] |
//! | what is lost, and what is not | [`recovering`] |

mod attacks;
mod closing;
mod congesting;
mod digesting;
mod governing;
mod notation;
mod wire;

mod acknowledging;
mod arriving;
mod cookies;
mod fastopen;
mod opening;
mod pair;
mod pairs;
mod path;
mod recovering;
mod sending;
mod simultaneous;
mod timing_out;
mod urgent;
mod verbs;
mod waiting;
