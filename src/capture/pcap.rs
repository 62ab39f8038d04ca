//! The classic pcap writer, for tools that do not read pcapng (`--format pcap`).
//!
//! Times in nanoseconds (magic a1b23c4d), always little-endian. Comments, names, directions and packet ids have no
//! place in this format and are left out. The seconds are a 32-bit number: the format ends in February 2106.

use std::io::{self, Write};

use super::{LinkType, Record};

/// Magic number of a file whose times are in microseconds.
pub(super) const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// Magic number of a file whose times are in nanoseconds.
pub(super) const MAGIC_NANOS: u32 = 0xa1b2_3c4d;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Writes one classic capture. Allocates nothing per packet.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    packet: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file. `snaplen` is how many octets are kept of each packet at most; many tools refuse 0.
    ///
    /// # Errors
    /// Those of `out`, as from every method here.
    pub fn new(mut out: W, link_type: LinkType, snaplen: u32) -> io::Result<Writer<W>> {
        let mut header = Vec::with_capacity(24);
        header.extend_from_slice(&MAGIC_NANOS.to_le_bytes());
        header.extend_from_slice(&2u16.to_le_bytes());
        header.extend_from_slice(&4u16.to_le_bytes());
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&snaplen.to_le_bytes());
        header.extend_from_slice(&u32::from(link_type.code()).to_le_bytes());
        out.write_all(&header)?;
        Ok(Writer { out, packet: Vec::with_capacity(2048) })
    }

    /// Adds a packet. `epoch_ns` is when the run began, in nanoseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Those of the file; [`io::ErrorKind::InvalidInput`] for a time after 2106 or a packet of more than 4 GB.
    pub fn packet(&mut self, record: &Record, epoch_ns: u64) -> io::Result<()> {
        let at_ns = epoch_ns.saturating_add(record.at.as_nanos());
        let too_much =
            |_| io::Error::new(io::ErrorKind::InvalidInput, "more than the pcap format can hold; use pcapng");
        let seconds = u32::try_from(at_ns / NANOS_PER_SECOND).map_err(too_much)?;
        let captured = u32::try_from(record.bytes.len()).map_err(too_much)?;
        let wire_len = u32::try_from(record.wire_len).unwrap_or(u32::MAX).max(captured);
        self.packet.clear();
        for field in [seconds, (at_ns % NANOS_PER_SECOND) as u32, captured, wire_len] {
            self.packet.extend_from_slice(&field.to_le_bytes());
        }
        self.packet.extend_from_slice(&record.bytes);
        self.out.write_all(&self.packet)
    }

    /// Hands everything written so far to the system.
    ///
    /// # Errors
    /// Those of the file.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Flushes and gives back what was written to.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
