//! One reader for every capture: classic pcap (microseconds or nanoseconds) and pcapng, in either byte order.
//!
//! A capture is a stranger's file. Whatever is in it, the packets before the first damage come out, then one
//! [`ReadError`] that says what is wrong and at which octet. No length in the file is believed beyond 16 MiB, and no
//! buffer grows much beyond what the file really holds.
//!
//! What lives here: finding out the format, and what both formats yield. What does not: the formats themselves
//! ([`classic`], [`blocks`]), the writers, the meaning of the packets.

mod blocks;
mod classic;
mod error;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Read};
use std::net::IpAddr;
use std::path::Path;

use bytes::Bytes;

use super::{Direction, LinkType, pcap, pcapng};
use crate::packet::Medium;
use blocks::Blocks;
use classic::Classic;
use source::{Endian, Source};

pub use error::ReadError;

/// One packet of any capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRecord {
    /// Its number in the file, from 1: Wireshark's frame number.
    pub number: u64,
    /// When it was captured, in nanoseconds since 1970-01-01 UTC; 0 when the file does not say (simple packet blocks).
    pub at_ns: u64,
    /// Where it was captured: its place in [`Reader::interfaces`].
    pub interface: usize,
    /// What its first byte belongs to.
    pub link_type: LinkType,
    /// Its bytes, as captured.
    pub bytes: Bytes,
    /// Octets it had on the wire; more than `bytes` when the capture cut it short.
    pub wire_len: usize,
    /// Remarks on it.
    pub comments: Vec<String>,
    /// Which way it went; `None` when the file does not say.
    pub direction: Option<Direction>,
    /// Its name across files; `None` when the file does not say.
    pub packet_id: Option<u64>,
}

impl ForeignRecord {
    /// The packet without loopback or cooked headers, ready to be dissected; shares its bytes. `None` when that is
    /// neither IP nor Ethernet.
    pub fn strip(&self) -> Option<(Medium, Bytes)> {
        self.link_type.strip(&self.bytes)
    }

    /// Octets it had on the wire without the loopback or cooked header that [`ForeignRecord::strip`] takes off.
    pub fn stripped_wire_len(&self) -> usize {
        let header = self.strip().map_or(0, |(_, inner)| self.bytes.len() - inner.len());
        self.wire_len.saturating_sub(header)
    }
}

/// Where packets of a file were captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its name; empty when the file does not say.
    pub name: String,
    /// A sentence about it; empty when the file does not say.
    pub description: String,
    /// The number of its link type, which need not be one that is read here.
    pub link_code: u16,
    /// Octets kept of each packet at most; 0 for no limit.
    pub snaplen: u32,
}

/// Reads a capture packet by packet, as an iterator that ends after its first error.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    format: Format,
    number: u64,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Classic(Classic),
    Blocks(Blocks),
}

impl Reader<BufReader<File>> {
    /// Opens a capture file.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be opened or does not begin as a capture does.
    pub fn open(path: &Path) -> Result<Reader<BufReader<File>>, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io { offset: 0, source })?;
        Reader::new(BufReader::with_capacity(1 << 18, file))
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read a capture; reads nothing beyond its first header. Reads in small pieces: hand in something
    /// buffered.
    ///
    /// # Errors
    /// [`ReadError`] when it does not begin as a capture does.
    pub fn new(from: R) -> Result<Reader<R>, ReadError> {
        let mut source = Source::new(from);
        let mut magic = [0; 4];
        let present = source.fill(&mut magic)?;
        let format = match (&magic[..present], Endian::Big.u32(magic), Endian::Little.u32(magic)) {
            ([], _, _) => return Err(ReadError::Empty),
            (_, pcapng::SECTION_HEADER, _) => Format::Blocks(Blocks::begin(&mut source)?),
            (_, first @ (pcap::MAGIC_MICROS | pcap::MAGIC_NANOS), _) => {
                Format::Classic(Classic::begin(&mut source, Endian::Big, first == pcap::MAGIC_NANOS)?)
            }
            (_, _, first @ (pcap::MAGIC_MICROS | pcap::MAGIC_NANOS)) => {
                Format::Classic(Classic::begin(&mut source, Endian::Little, first == pcap::MAGIC_NANOS)?)
            }
            (begins_with, _, _) => return Err(ReadError::foreign(begins_with)),
        };
        Ok(Reader { source, format, number: 0, ended: false })
    }

    /// The interfaces met so far.
    pub fn interfaces(&self) -> &[InterfaceInfo] {
        match &self.format {
            Format::Classic(classic) => classic.interfaces(),
            Format::Blocks(blocks) => blocks.interfaces(),
        }
    }

    /// The names of addresses met so far, in the file's order.
    pub fn names(&self) -> &[(IpAddr, String)] {
        match &self.format {
            Format::Classic(_) => &[],
            Format::Blocks(blocks) => blocks.names(),
        }
    }

    /// The remarks on the file as a whole met so far.
    pub fn comments(&self) -> &[String] {
        match &self.format {
            Format::Classic(_) => &[],
            Format::Blocks(blocks) => blocks.comments(),
        }
    }

    /// The program that wrote the file, as it says of itself; empty when it does not.
    pub fn application(&self) -> &str {
        match &self.format {
            Format::Classic(_) => "",
            Format::Blocks(blocks) => blocks.application(),
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<ForeignRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match &mut self.format {
            Format::Classic(classic) => classic.next_packet(&mut self.source, &mut self.number),
            Format::Blocks(blocks) => blocks.next_packet(&mut self.source, &mut self.number),
        };
        self.ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}
