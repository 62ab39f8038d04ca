//! Several segments that a script writes as one.
//!
//! A kernel hands its card a long segment to cut, so scripts written against one say `P. 1:10001(10000)`. On a wire these are
//! ten segments. They are taken as one when they could have been cut from one: consecutive, of equal length but for the
//! last, with the same acknowledgment, window, urgent pointer and flags, where FIN, PSH and CWR may differ: FIN and PSH are
//! the last one's, CWR is the first one's.

use super::compare::{Difference, Field};
use super::notation;
use super::read::Sent;
use crate::drill::language::script::{Body, OptionsSpec, PacketSpec, TcpSpec};
use crate::packet::TcpFlags;

/// Flags in which the parts of one segment may differ.
const FREE: u8 = TcpFlags::FIN.0 | TcpFlags::PSH.0 | TcpFlags::CWR.0;

/// Segments under way to becoming one.
#[derive(Clone, Debug)]
pub struct Glue {
    parts: Vec<Sent>,
    length: u32,
    expected: u32,
}

impl Glue {
    /// Begins with the first packet, where the script expects `expected` octets.
    pub fn new(first: Sent, expected: u32) -> Glue {
        Glue { length: first.length(), parts: vec![first], expected }
    }

    /// Whether octets are still missing.
    pub fn is_incomplete(&self) -> bool {
        self.length < self.expected
    }

    /// The packets so far.
    pub fn parts(&self) -> &[Sent] {
        &self.parts
    }

    /// Takes the next packet.
    ///
    /// # Errors
    /// How it differs from what would fit; it is then the last of [`Glue::parts`] all the same, to be shown.
    pub fn add(&mut self, next: Sent) -> Result<(), Difference> {
        let fits = match self.parts.last() {
            Some(previous) => continues(previous, &next, self.expected.saturating_sub(self.length)),
            None => Ok(()),
        };
        self.length += next.length();
        self.parts.push(next);
        fits
    }

    /// The one packet that they are: when and why of the last, data of all.
    pub fn into_one(self) -> Option<Sent> {
        let mut parts = self.parts.into_iter();
        let mut whole = parts.next()?;
        let mut data = whole.data.to_vec();
        for part in parts {
            data.extend_from_slice(&part.data);
            let checksums = whole.checksums;
            let (seq, first_flags) = whole.tcp().map_or_else(Default::default, |tcp| (tcp.seq, tcp.flags));
            whole = part;
            whole.checksums.network &= checksums.network;
            whole.checksums.transport &= checksums.transport;
            if let Body::Tcp(tcp) = &mut whole.packet.body {
                tcp.seq = seq;
                tcp.flags = TcpFlags(tcp.flags.0 & !TcpFlags::CWR.0 | first_flags.0 & TcpFlags::CWR.0);
            }
        }
        if let Body::Tcp(tcp) = &mut whole.packet.body {
            tcp.length = data.len() as u32;
            tcp.end = tcp.seq + tcp.length;
        }
        whole.data = data.into();
        Some(whole)
    }
}

/// Whether `next` continues `previous`, `missing` octets before the end.
fn continues(previous: &Sent, next: &Sent, missing: u32) -> Result<(), Difference> {
    let differ = |field: Field, expected: String, actual: String| Err(Difference { field, expected, actual });
    let (Some(before), Some(after)) = (previous.tcp(), next.tcp()) else {
        return differ(Field::Protocol, "a TCP segment".to_owned(), notation::line(&next.packet));
    };
    if (before.flags.0 ^ after.flags.0) & !FREE != 0 {
        return differ(Field::Flags, notation::flags(before.flags), notation::flags(after.flags));
    }
    let due = before.seq + previous.length();
    if after.seq != due {
        return differ(Field::Sequence, due.to_string(), after.seq.to_string());
    }
    for (field, one, other) in [
        (Field::Acknowledgment, before.ack.unwrap_or_default().0, after.ack.unwrap_or_default().0),
        (Field::Window, word(before.window), word(after.window)),
        (Field::Urgent, word(before.urgent), word(after.urgent)),
        (Field::TimeToLive, hops(&previous.packet), hops(&next.packet)),
    ] {
        if one != other {
            return differ(field, one.to_string(), other.to_string());
        }
    }
    if options_length(before) != options_length(after) {
        return differ(Field::Options, options(before), options(after));
    }
    if next.length() < missing && next.length() != previous.length() {
        return differ(Field::Length, previous.length().to_string(), next.length().to_string());
    }
    Ok(())
}

fn word(value: Option<u16>) -> u32 {
    value.map_or(0, u32::from)
}

fn hops(packet: &PacketSpec) -> u32 {
    packet.ttl.map_or(0, u32::from)
}

fn options_length(tcp: &TcpSpec) -> usize {
    match &tcp.options {
        OptionsSpec::List(options) => super::options::write(options).len(),
        OptionsSpec::Absent | OptionsSpec::Any => 0,
    }
}

fn options(tcp: &TcpSpec) -> String {
    match &tcp.options {
        OptionsSpec::List(options) if !options.is_empty() => format!("<{}>", notation::options(options)),
        OptionsSpec::List(_) | OptionsSpec::Absent | OptionsSpec::Any => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests;
