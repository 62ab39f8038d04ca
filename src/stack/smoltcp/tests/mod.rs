//! The smoltcp stack from outside, packet by packet: the [`reasons`] of what it sends, and [`hostile`] packets.

mod hostile;
mod reasons;
