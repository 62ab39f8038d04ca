//! A TCP header as plain values: fields, control bits, options.

use smallvec::SmallVec;

use crate::packet::SeqNum;

/// A TCP header (RFC 9293 §3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Tcp {
    /// Where the header begins.
    pub offset: usize,
    /// Octets of the header, options included.
    pub header_len: usize,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first octet of data, or of the SYN.
    pub seq: SeqNum,
    /// Acknowledgment number; meaningful with the ACK flag.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: TcpFlags,
    /// Window field, not scaled.
    pub window: u16,
    /// Checksum as it stands there.
    pub checksum: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// The options that could be read.
    pub options: TcpOptions,
    /// Octets of data, as the network header implies.
    pub payload_len: usize,
}

impl Tcp {
    /// Octets of sequence space the segment takes: data, SYN and FIN (RFC 9293 §3.4, SEG.LEN).
    pub fn sequence_len(&self) -> u32 {
        self.payload_len as u32 + u32::from(self.flags.syn()) + u32::from(self.flags.fin())
    }
}

/// TCP's control bits, in the order of the header's byte: CWR ECE URG ACK PSH RST SYN FIN.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// SYN.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// RST.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// PSH.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// ACK.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// URG.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// ECN echo.
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// Congestion window reduced.
    pub const CWR: TcpFlags = TcpFlags(0x80);

    const NAMES: [(TcpFlags, &str); 8] = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
    ];

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// FIN is set.
    pub const fn fin(self) -> bool {
        self.contains(Self::FIN)
    }

    /// SYN is set.
    pub const fn syn(self) -> bool {
        self.contains(Self::SYN)
    }

    /// RST is set.
    pub const fn rst(self) -> bool {
        self.contains(Self::RST)
    }

    /// PSH is set.
    pub const fn psh(self) -> bool {
        self.contains(Self::PSH)
    }

    /// ACK is set.
    pub const fn ack(self) -> bool {
        self.contains(Self::ACK)
    }

    /// URG is set.
    pub const fn urg(self) -> bool {
        self.contains(Self::URG)
    }
}

/// `SYN,ACK`; `-` when no bit is set.
impl std::fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: SmallVec<[&str; 8]> =
            Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| *name).collect();
        f.pad(&if names.is_empty() { "-".to_owned() } else { names.join(",") })
    }
}

impl std::fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The options of a TCP header (RFC 9293 §3.2, RFC 7323, RFC 2018).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size, kind 2.
    pub mss: Option<u16>,
    /// Window scale shift, kind 3.
    pub window_scale: Option<u8>,
    /// SACK permitted, kind 4.
    pub sack_permitted: bool,
    /// SACK blocks (left edge, right edge), kind 5.
    pub sack: SmallVec<[(SeqNum, SeqNum); 4]>,
    /// Timestamps TSval and TSecr, kind 8.
    pub timestamps: Option<(u32, u32)>,
    /// TCP Fast Open, kind 34 or an experiment's 254.
    pub fast_open: Option<FastOpenOption>,
}

/// TCP Fast Open's option (RFC 7413 §4.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FastOpenOption {
    /// The cookie, 4 to 16 octets and an even number of them; empty asks for one.
    pub cookie: SmallVec<[u8; 16]>,
    /// Written as before the RFC: kind 254 with a number of its own, 0xF989 (RFC 6994).
    pub experimental: bool,
}

impl FastOpenOption {
    /// Octets of cookies that may be granted; odd numbers among them may not (RFC 7413 §4.1.1).
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 4..=16;

    /// An option with these octets as cookie, if they can be one.
    fn read(cookie: &[u8], experimental: bool) -> Option<FastOpenOption> {
        let fits = cookie.is_empty() || Self::LENGTHS.contains(&cookie.len());
        (fits && cookie.len().is_multiple_of(2))
            .then(|| FastOpenOption { cookie: SmallVec::from_slice(cookie), experimental })
    }
}

impl TcpOptions {
    /// Reads the option bytes of a header.
    ///
    /// Unknown kinds are skipped by their length (RFC 9293 MUST-6); an illegal length ends the reading with what was
    /// found so far (MUST-7), and so does the end-of-list option.
    pub fn read(mut bytes: &[u8]) -> TcpOptions {
        let mut options = TcpOptions::default();
        while let Some((&kind, rest)) = bytes.split_first() {
            match kind {
                0 => break,
                1 => {
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let Some(len) = rest.first().map(|len| usize::from(*len)).filter(|len| *len >= 2) else {
                break;
            };
            let Some(body) = bytes.get(2..len) else { break };
            options.read_one(kind, body);
            bytes = &bytes[len..];
        }
        options
    }

    fn read_one(&mut self, kind: u8, body: &[u8]) {
        let word =
            |at: usize| body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        match (kind, body) {
            (2, [high, low]) => self.mss = Some(u16::from_be_bytes([*high, *low])),
            (3, [shift]) => self.window_scale = Some(*shift),
            (4, []) => self.sack_permitted = true,
            (5, blocks) if blocks.len() % 8 == 0 => {
                self.sack = (0..blocks.len()).step_by(8).map(|at| (SeqNum(word(at)), SeqNum(word(at + 4)))).collect();
            }
            (8, body) if body.len() == 8 => self.timestamps = Some((word(0), word(4))),
            // An impossible cookie is none; of several, the last counts.
            (34, cookie) => self.fast_open = FastOpenOption::read(cookie, false),
            (254, [0xf9, 0x89, cookie @ ..]) => self.fast_open = FastOpenOption::read(cookie, true),
            _ => {}
        }
    }
}
