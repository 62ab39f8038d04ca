//! ICMP and ICMPv6 messages that arrive: echo is answered, errors about what we sent go to the transports, neighbours
//! are heard, and the rest is ignored (RFC 792, RFC 1122 §3.2.2, RFC 4443).

use std::net::IpAddr;

use bytes::Bytes;
use smallvec::SmallVec;

use super::limits::HOPS;
use super::quoted::Ends;
use super::receive::Facts;
use super::{Arrival, EchoReply, Host, Outgoing, SendError};
use crate::journal::{DropReason, Reason, Why};
use crate::packet::dissect::{Icmp, Transport};
use crate::packet::{DeliveryError, Packet};
use crate::time::Instant;

/// Octets of an ICMP header, up to the data of an echo or the quotation of an error.
const ICMP_HEADER: usize = 8;

impl Host {
    pub(super) fn icmpv4_arrives(
        &mut self,
        facts: &Facts,
        icmp: &Icmp,
        packet: &Packet,
    ) -> Result<Option<Arrival>, DropReason> {
        match icmp.kind {
            0 => Ok(Some(echo_reply(facts, icmp, packet))),
            // RFC 1122 §3.2.2.6: who asks everybody need not be answered.
            8 if self.is_group(facts, packet) => Err(DropReason::NotForUs),
            8 => {
                self.answer_echo(facts, icmp, packet, 0);
                Ok(None)
            }
            // Source Quench (RFC 6633), redirects, and kinds that nobody knows, which MUST be ignored (RFC 1122 §3.2.2).
            _ => match DeliveryError::of(&Transport::Icmpv4(*icmp)) {
                Some(error) => self.error_arrives(facts, error, packet).map(Some),
                None => Err(DropReason::UnknownProtocol),
            },
        }
    }

    pub(super) fn icmpv6_arrives(
        &mut self,
        facts: &Facts,
        icmp: &Icmp,
        packet: &Packet,
    ) -> Result<Option<Arrival>, DropReason> {
        if facts.src.is_unspecified() && icmp.kind != 135 {
            return Err(DropReason::InvalidSource);
        }
        match icmp.kind {
            128 => {
                self.answer_echo(facts, icmp, packet, 129);
                Ok(None)
            }
            129 => Ok(Some(echo_reply(facts, icmp, packet))),
            135 | 136 => self.discovery_arrives(facts, packet).map(|()| None),
            _ => match DeliveryError::of(&Transport::Icmpv6(*icmp)) {
                Some(error) => self.error_arrives(facts, error, packet).map(Some),
                None => Err(DropReason::UnknownProtocol),
            },
        }
    }

    /// The same data back, from the address that was asked and with the same type of service (RFC 1122 §3.2.2.6).
    fn answer_echo(&mut self, facts: &Facts, icmp: &Icmp, packet: &Packet, kind: u8) {
        let source = if self.is_own(facts.dst) { Some(facts.dst) } else { self.source_for(facts.src) };
        let Some(source) = source else { return };
        let mut header = SmallVec::from_slice(&[kind, 0, 0, 0]);
        header.extend_from_slice(&icmp.rest);
        let reply = Outgoing {
            src: source,
            dst: facts.src,
            protocol: facts.protocol,
            hops: HOPS,
            traffic_class: facts.traffic_class,
            dont_fragment: false,
            header,
            checksum_offset: Some(2),
            payload: octets_from(packet, facts.transport + ICMP_HEADER),
            gso_size: None,
            why: Why::over(Reason::EchoReply, facts.src.is_ipv6()),
        };
        // A full queue loses the answer as a full link would.
        let _ = self.send(self.now, reply);
    }

    /// An ICMP error about something that we are said to have sent.
    fn error_arrives(&mut self, facts: &Facts, error: DeliveryError, packet: &Packet) -> Result<Arrival, DropReason> {
        let whole = packet.to_bytes();
        let quotation = whole.get(facts.transport + ICMP_HEADER..).ok_or(DropReason::Malformed)?;
        let ends = Ends::of(quotation).ok_or(DropReason::Malformed)?;
        if !self.is_own(ends.src) || ends.src.is_ipv4() != facts.src.is_ipv4() {
            return Err(DropReason::ForgedIcmp);
        }
        let report = ends.report(error, facts.src, packet.id).ok_or(DropReason::ForgedIcmp)?;
        Ok(Arrival::Undelivered(report))
    }

    /// Asks `destination` for an answer (RFC 792, RFC 4443 §4.1); it arrives as [`Arrival::EchoReply`].
    ///
    /// # Errors
    /// [`SendError`] when the request cannot be sent.
    pub fn ping(
        &mut self,
        now: Instant,
        destination: IpAddr,
        identifier: u16,
        sequence: u16,
        data: &[u8],
    ) -> Result<(), SendError> {
        self.tell_time(now);
        let v6 = destination.is_ipv6();
        let mut header = SmallVec::from_slice(&[if v6 { 128 } else { 8 }, 0, 0, 0]);
        header.extend_from_slice(&identifier.to_be_bytes());
        header.extend_from_slice(&sequence.to_be_bytes());
        let request = Outgoing {
            src: self.source_for(destination).ok_or(SendError::NoRoute(destination))?,
            dst: destination,
            protocol: if v6 { 58 } else { 1 },
            hops: HOPS,
            traffic_class: 0,
            dont_fragment: false,
            header,
            checksum_offset: Some(2),
            payload: SmallVec::from_iter([Bytes::copy_from_slice(data)]),
            gso_size: None,
            why: Why::over(Reason::EchoRequest, v6),
        };
        self.send(now, request)
    }
}

fn echo_reply(facts: &Facts, icmp: &Icmp, packet: &Packet) -> Arrival {
    let [a, b, c, d] = icmp.rest;
    let whole = packet.to_bytes();
    let data = (facts.transport + ICMP_HEADER).min(whole.len());
    Arrival::EchoReply(EchoReply {
        src: facts.src,
        identifier: u16::from_be_bytes([a, b]),
        sequence: u16::from_be_bytes([c, d]),
        data: whole.slice(data..),
        hops: facts.hops,
    })
}

/// The packet's octets from `start` on; those of the payload are shared.
fn octets_from(packet: &Packet, start: usize) -> SmallVec<[Bytes; 2]> {
    let mut octets = SmallVec::new();
    if let Some(rest) = packet.headers().get(start..).filter(|rest| !rest.is_empty()) {
        octets.push(Bytes::copy_from_slice(rest));
    }
    let mut skip = start.saturating_sub(packet.headers().len());
    for chunk in packet.payload() {
        let skipped = skip.min(chunk.len());
        skip -= skipped;
        octets.push(chunk.slice(skipped..));
    }
    octets
}
