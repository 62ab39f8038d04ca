//! The pcapng format: blocks in sections (draft-ietf-opsawg-pcapng). The figure stands at the writer,
//! [`crate::capture::pcapng`].

use std::io::Read;
use std::net::IpAddr;

use bytes::Bytes;

use super::source::{Endian, Fields, LONGEST, Source};
use super::{Direction, ForeignRecord, InterfaceInfo, LinkType, ReadError};
use crate::capture::pcapng;

/// The packet block that the enhanced one has replaced; old files have it.
const OBSOLETE_PACKET: u32 = 2;
/// A packet with neither time nor options, on the section's first interface.
const SIMPLE_PACKET: u32 = 3;
const IF_TSOFFSET: u16 = 14;
const SHB_APPLICATION: u16 = 4;

/// Bounds on what is remembered of a whole file, so that a file of nothing but names or sections costs little memory.
/// Interfaces beyond are damage, names and remarks are left out.
const MOST_INTERFACES: usize = 1 << 16;
const MOST_NAMES: usize = 1 << 16;
const MOST_COMMENTS: usize = 1 << 10;

const SECTION: &str = "a section header";
const BLOCK: &str = "a block";

/// How an interface counts time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// Units per second: 10 or 2 to the power of `resolution`'s lower seven bits; 2 when the highest bit is set.
    resolution: u8,
    /// Seconds to be added.
    offset: i64,
}

impl Clock {
    /// Nanoseconds since 1970, held within what 64 bits can say.
    fn nanos(self, ticks: u64) -> u64 {
        let ticks = u128::from(ticks);
        let exponent = u32::from(self.resolution & 0x7f);
        let nanos = match (self.resolution & 0x80 != 0, exponent) {
            (true, _) => (ticks * 1_000_000_000) >> exponent,
            (false, 0..=9) => ticks * 10u128.pow(9 - exponent),
            // Beyond 10^38, more than 128 bits can say, no 64-bit count reaches a single nanosecond.
            (false, _) => 10u128.checked_pow(exponent - 9).map_or(0, |divisor| ticks / divisor),
        };
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let shifted = nanos.saturating_add(i128::from(self.offset) * 1_000_000_000);
        u64::try_from(shifted.max(0)).unwrap_or(u64::MAX)
    }
}

/// Packets that were left out because their link type is not known here.
#[derive(Debug)]
struct LeftOut {
    offset: u64,
    code: u16,
    packets: u64,
}

/// The state of a pcapng file.
#[derive(Debug)]
pub(super) struct Blocks {
    endian: Endian,
    /// Interfaces of all sections; those of the current one begin at `section_base`.
    interfaces: Vec<InterfaceInfo>,
    clocks: Vec<Clock>,
    section_base: usize,
    names: Vec<(IpAddr, String)>,
    comments: Vec<String>,
    application: String,
    left_out: Option<LeftOut>,
}

/// One packet block, before its interface is looked up.
struct PacketBlock {
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    wire_len: u32,
}

impl Blocks {
    /// Reads the first section header, after its block type.
    pub(super) fn begin<R: Read>(source: &mut Source<R>) -> Result<Blocks, ReadError> {
        let mut blocks = Blocks {
            endian: Endian::Little,
            interfaces: Vec::new(),
            clocks: Vec::new(),
            section_base: 0,
            names: Vec::new(),
            comments: Vec::new(),
            application: String::new(),
            left_out: None,
        };
        let length = source.exact(0, SECTION)?;
        blocks.section(source, 0, length)?;
        Ok(blocks)
    }

    pub(super) fn interfaces(&self) -> &[InterfaceInfo] {
        &self.interfaces
    }

    pub(super) fn names(&self) -> &[(IpAddr, String)] {
        &self.names
    }

    pub(super) fn comments(&self) -> &[String] {
        &self.comments
    }

    pub(super) fn application(&self) -> &str {
        &self.application
    }

    /// The next packet of a known link type, `None` at the end of the file. `number` counts packets of any type.
    pub(super) fn next_packet<R: Read>(
        &mut self,
        source: &mut Source<R>,
        number: &mut u64,
    ) -> Result<Option<ForeignRecord>, ReadError> {
        loop {
            let began = source.offset();
            let Some(block_type) = source.exact_or_end(BLOCK)? else {
                return self.left_out.take().map_or(Ok(None), |left_out| Err(left_out.into()));
            };
            let length = source.exact(began, BLOCK)?;
            // The only type that reads the same in both byte orders: it says which one follows.
            if Endian::Big.u32(block_type) == pcapng::SECTION_HEADER {
                self.section(source, began, length)?;
                continue;
            }
            let (block_type, length) = (self.endian.u32(block_type), self.endian.u32(length));
            if let Some(record) = self.block(source, began, block_type, length, number)? {
                return Ok(Some(record));
            }
        }
    }

    /// A section header: its byte order, its options; new interfaces follow.
    fn section<R: Read>(&mut self, source: &mut Source<R>, began: u64, length: [u8; 4]) -> Result<(), ReadError> {
        let magic = source.exact(began, SECTION)?;
        self.endian = match (Endian::Big.u32(magic), Endian::Little.u32(magic)) {
            (pcapng::BYTE_ORDER_MAGIC, _) => Endian::Big,
            (_, pcapng::BYTE_ORDER_MAGIC) => Endian::Little,
            (other, _) => {
                return Err(ReadError::damaged(began + 8, format!("a section's byte-order magic is {other:08x}")));
            }
        };
        let length = self.endian.u32(length);
        check_length(began, length, 28)?;
        let body = source.body(length - 16, began, SECTION)?;
        self.trailer(source, began, length)?;
        let mut fields = Fields::new(&body, self.endian, began + 12);
        let (major, minor) = (fields.u16()?, fields.u16()?);
        if major != 1 {
            return Err(ReadError::damaged(began + 12, format!("version {major}.{minor} of pcapng; only 1 is known")));
        }
        fields.take(8)?;
        while let Some((code, value)) = fields.option()? {
            match code {
                pcapng::OPT_COMMENT if self.comments.len() < MOST_COMMENTS => self.comments.push(value.text()),
                SHB_APPLICATION => self.application = value.text(),
                _ => {}
            }
        }
        self.section_base = self.interfaces.len();
        Ok(())
    }

    /// Any other block. What is not known is passed over, however long.
    fn block<R: Read>(
        &mut self,
        source: &mut Source<R>,
        began: u64,
        block_type: u32,
        length: u32,
        number: &mut u64,
    ) -> Result<Option<ForeignRecord>, ReadError> {
        let shortest = match block_type {
            pcapng::INTERFACE_DESCRIPTION => 20,
            pcapng::ENHANCED_PACKET | OBSOLETE_PACKET => 32,
            SIMPLE_PACKET => 16,
            pcapng::NAME_RESOLUTION => 12,
            _ => {
                check_multiple(began, length, 12)?;
                source.skip(length - 12)?;
                self.trailer(source, began, length)?;
                return Ok(None);
            }
        };
        check_length(began, length, shortest)?;
        let body = source.body(length - 12, began, BLOCK)?;
        self.trailer(source, began, length)?;
        let fields = Fields::new(&body, self.endian, began + 8);
        match block_type {
            pcapng::INTERFACE_DESCRIPTION => self.interface(fields).map(|()| None),
            pcapng::NAME_RESOLUTION => self.name_resolution(fields).map(|()| None),
            _ => {
                *number += 1;
                self.packet(began, block_type, body, *number)
            }
        }
    }

    /// The length that stands at a block's end as well.
    fn trailer<R: Read>(&self, source: &mut Source<R>, began: u64, length: u32) -> Result<(), ReadError> {
        let offset = source.offset();
        let trailer = self.endian.u32(source.exact(began, BLOCK)?);
        if trailer == length {
            return Ok(());
        }
        let what = format!("the block at byte {began} says {length} bytes at its beginning and {trailer} at its end");
        Err(ReadError::damaged(offset, what))
    }

    fn interface(&mut self, mut fields: Fields<'_>) -> Result<(), ReadError> {
        let offset = fields.offset();
        let link_code = fields.u16()?;
        fields.take(2)?;
        let mut interface = InterfaceInfo { link_code, snaplen: fields.u32()?, ..InterfaceInfo::default() };
        let mut clock = Clock { resolution: 6, offset: 0 };
        while let Some((code, mut value)) = fields.option()? {
            match code {
                pcapng::IF_NAME => interface.name = value.text(),
                pcapng::IF_DESCRIPTION => interface.description = value.text(),
                pcapng::IF_TSRESOL => clock.resolution = value.u8()?,
                IF_TSOFFSET => clock.offset = value.i64()?,
                _ => {}
            }
        }
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(ReadError::damaged(offset, format!("more than {MOST_INTERFACES} interfaces")));
        }
        self.interfaces.push(interface);
        self.clocks.push(clock);
        Ok(())
    }

    fn name_resolution(&mut self, mut fields: Fields<'_>) -> Result<(), ReadError> {
        while fields.remaining() > 0 {
            let (kind, length) = (fields.u16()?, usize::from(fields.u16()?));
            if kind == 0 {
                break;
            }
            let offset = fields.offset();
            let mut value = Fields::new(fields.padded(length)?, self.endian, offset);
            let address = match kind {
                pcapng::NAME_IPV4 => IpAddr::from(value.array::<4>()?),
                pcapng::NAME_IPV6 => IpAddr::from(value.array::<16>()?),
                _ => continue,
            };
            let text = value.text();
            let room = MOST_NAMES - self.names.len();
            let names = text.split('\0').filter(|name| !name.is_empty()).take(room);
            self.names.extend(names.map(|name| (address, name.to_owned())));
        }
        Ok(())
    }

    /// A packet block of any of the three kinds; `None` when its link type is not known here.
    fn packet(
        &mut self,
        began: u64,
        block_type: u32,
        body: Vec<u8>,
        number: u64,
    ) -> Result<Option<ForeignRecord>, ReadError> {
        let mut fields = Fields::new(&body, self.endian, began + 8);
        let block = self.packet_header(block_type, &mut fields)?;
        let place = self.section_base.saturating_add(block.interface as usize);
        let (Some(interface), Some(clock)) = (self.interfaces.get(place), self.clocks.get(place)) else {
            let known = self.interfaces.len() - self.section_base;
            let what = format!("a packet of interface {} in a section that has described {known}", block.interface);
            return Err(ReadError::damaged(began + 8, what));
        };
        let Some(link_type) = LinkType::from_code(interface.link_code) else {
            let code = interface.link_code;
            // No packet at all: the events of a story, and what else Wireshark exports.
            if code == pcapng::EXPORTED_PDU {
                return Ok(None);
            }
            self.left_out.get_or_insert(LeftOut { offset: began, code, packets: 0 }).packets += 1;
            return Ok(None);
        };
        let start = body.len() - fields.remaining();
        let captured = block.captured as usize;
        fields.padded(captured)?;
        let mut record = ForeignRecord {
            number,
            at_ns: block.ticks.map_or(0, |ticks| clock.nanos(ticks)),
            interface: place,
            link_type,
            bytes: Bytes::new(),
            wire_len: block.wire_len.max(block.captured) as usize,
            comments: Vec::new(),
            direction: None,
            packet_id: None,
        };
        packet_options(block_type, fields, &mut record)?;
        record.bytes = Bytes::from(body).slice(start..start + captured);
        record.direction = record.direction.or_else(|| link_type.direction(&record.bytes));
        Ok(Some(record))
    }

    /// The fixed fields before a packet's bytes.
    fn packet_header(&self, block_type: u32, fields: &mut Fields<'_>) -> Result<PacketBlock, ReadError> {
        if block_type == SIMPLE_PACKET {
            let wire_len = fields.u32()?;
            let snaplen = self.interfaces.get(self.section_base).map_or(0, |interface| interface.snaplen);
            let limit = if snaplen == 0 { u32::MAX } else { snaplen };
            return Ok(PacketBlock { interface: 0, ticks: None, captured: wire_len.min(limit), wire_len });
        }
        let interface = if block_type == OBSOLETE_PACKET {
            let interface = u32::from(fields.u16()?);
            fields.take(2)?;
            interface
        } else {
            fields.u32()?
        };
        let (high, low) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
        let (captured, wire_len) = (fields.u32()?, fields.u32()?);
        Ok(PacketBlock { interface, ticks: Some(high << 32 | low), captured, wire_len })
    }
}

/// What follows a packet's bytes.
fn packet_options(block_type: u32, mut fields: Fields<'_>, record: &mut ForeignRecord) -> Result<(), ReadError> {
    // A simple packet has no options; what its snaplen left over is no option either.
    if block_type == SIMPLE_PACKET {
        return Ok(());
    }
    while let Some((code, mut value)) = fields.option()? {
        match code {
            pcapng::OPT_COMMENT => record.comments.push(value.text()),
            pcapng::EPB_FLAGS => {
                record.direction = match value.u32()? & 3 {
                    pcapng::FLAG_INBOUND => Some(Direction::In),
                    pcapng::FLAG_OUTBOUND => Some(Direction::Out),
                    _ => None,
                };
            }
            pcapng::EPB_PACKET_ID if block_type == pcapng::ENHANCED_PACKET => record.packet_id = Some(value.u64()?),
            _ => {}
        }
    }
    Ok(())
}

/// A block that is kept in memory: of a possible length, and no longer than any packet needs.
fn check_length(began: u64, length: u32, shortest: u32) -> Result<(), ReadError> {
    check_multiple(began, length, shortest)?;
    if length > LONGEST {
        return Err(ReadError::damaged(began + 4, format!("a block of {length} bytes; no packet needs that")));
    }
    Ok(())
}

/// A length that a block can have: at least its fixed fields, in whole words.
fn check_multiple(began: u64, length: u32, shortest: u32) -> Result<(), ReadError> {
    if length >= shortest && length.is_multiple_of(4) {
        return Ok(());
    }
    let what = format!("a block length of {length}, which must be a multiple of 4 and {shortest} at least");
    Err(ReadError::damaged(began + 4, what))
}

impl From<LeftOut> for ReadError {
    fn from(left_out: LeftOut) -> ReadError {
        let LeftOut { offset, code, packets } = left_out;
        ReadError::LinkType { offset, code, packets: packets.to_string() }
    }
}
