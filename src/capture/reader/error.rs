//! What can be wrong with a capture file.

use std::io;

/// Why reading a capture ended before its end. One sentence, with the octet of the file that it speaks of.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system would not read on.
    #[error("byte {offset}: the system cannot read the file: {source}")]
    Io {
        /// How far it was read.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// Not one byte.
    #[error("byte 0: the file is empty, and even a capture without packets has a header of 24 bytes or more")]
    Empty,
    /// Some other kind of file.
    #[error("byte 0: this is no pcap or pcapng file: it begins with {begins_with}{hint}")]
    Foreign {
        /// Its first octets in hex, four at most.
        begins_with: String,
        /// What it seems to be and what to do, beginning with a comma; empty when unknown.
        hint: &'static str,
    },
    /// The file ends too early.
    #[error("byte {offset}: the file ends in the middle of {what} that begins at byte {began}")]
    Truncated {
        /// Where the file ends.
        offset: u64,
        /// Where the unfinished part begins.
        began: u64,
        /// What that part is.
        what: &'static str,
    },
    /// Something contradicts the format.
    #[error("byte {offset}: the file is damaged: {what}")]
    Damaged {
        /// Where.
        offset: u64,
        /// What contradicts what.
        what: String,
    },
    /// Packets of a link type that is not read here. They are counted in the numbers but left out; it comes last,
    /// after all packets that could be read.
    #[error(
        "byte {offset}: link type {code} cannot be read, so {packets} packets are left out \
         (Ethernet, raw IP, loopback and Linux cooked captures can be; Wireshark may know more)"
    )]
    LinkType {
        /// Where the first such packet, or for a classic file the link type, stands.
        offset: u64,
        /// The number of the link type.
        code: u16,
        /// How many packets were left out, as a word: a number, or `all`.
        packets: String,
    },
}

/// First octets of files that are taken for captures now and then.
const KNOWN: [(&[u8], &str); 6] = [
    (&[0x1f, 0x8b], ", as gzip files do: unpack it with `gunzip` first"),
    (&[0x28, 0xb5, 0x2f, 0xfd], ", as zstd files do: unpack it with `unzstd` first"),
    (&[0x04, 0x22, 0x4d, 0x18], ", as lz4 files do: unpack it with `unlz4` first"),
    (b"snoo", ", as snoop files do: convert it with `editcap -F pcapng`"),
    (&[0x34, 0xcd, 0xb2, 0xa1], ", as Kuznetzov's patched pcap does: convert it with `editcap -F pcapng`"),
    (&[0xa1, 0xb2, 0xcd, 0x34], ", as Kuznetzov's patched pcap does: convert it with `editcap -F pcapng`"),
];

impl ReadError {
    /// The octet of the file that it speaks of.
    pub fn offset(&self) -> u64 {
        match self {
            ReadError::Empty | ReadError::Foreign { .. } => 0,
            ReadError::Io { offset, .. }
            | ReadError::Truncated { offset, .. }
            | ReadError::Damaged { offset, .. }
            | ReadError::LinkType { offset, .. } => *offset,
        }
    }

    pub(super) fn foreign(begins_with: &[u8]) -> ReadError {
        let hint = KNOWN.iter().find(|(magic, _)| begins_with.starts_with(magic)).map_or("", |(_, hint)| hint);
        let octets: Vec<String> = begins_with.iter().map(|octet| format!("{octet:02x}")).collect();
        ReadError::Foreign { begins_with: octets.join(" "), hint }
    }

    pub(super) fn damaged(offset: u64, what: impl Into<String>) -> ReadError {
        ReadError::Damaged { offset, what: what.into() }
    }
}
