//! The classic format: one header, then packets.
//!
//! ```text
//!   magic 32 │ major 16 │ minor 16 │ zone 32 │ accuracy 32 │ snaplen 32 │ link type 32
//!   seconds 32 │ fraction 32 │ captured 32 │ on the wire 32 │ captured octets …            each packet
//! ```

use std::io::Read;

use bytes::Bytes;

use super::source::{Endian, Fields, LONGEST, Source};
use super::{ForeignRecord, InterfaceInfo, LinkType, ReadError};

const FILE_HEADER: &str = "the file header";
const PACKET: &str = "a packet";

/// The state of a classic file.
#[derive(Debug)]
pub(super) struct Classic {
    endian: Endian,
    nanos: bool,
    link_type: LinkType,
    interface: [InterfaceInfo; 1],
}

impl Classic {
    /// Reads the rest of the file header, after the magic number.
    pub(super) fn begin<R: Read>(source: &mut Source<R>, endian: Endian, nanos: bool) -> Result<Classic, ReadError> {
        let header: [u8; 20] = source.exact(0, FILE_HEADER)?;
        let mut fields = Fields::new(&header, endian, 4);
        let (major, minor) = (fields.u16()?, fields.u16()?);
        if major != 2 {
            return Err(ReadError::damaged(4, format!("version {major}.{minor} of pcap; only version 2 exists")));
        }
        fields.take(8)?;
        let snaplen = fields.u32()?;
        // The upper half tells of frame check sequences; Ethernet's readers cope with one at the end.
        let link_code = fields.u32()? as u16;
        let link_type = LinkType::from_code(link_code).ok_or_else(|| ReadError::LinkType {
            offset: 20,
            code: link_code,
            packets: "all".to_owned(),
        })?;
        let interface = [InterfaceInfo { link_code, snaplen, ..InterfaceInfo::default() }];
        Ok(Classic { endian, nanos, link_type, interface })
    }

    pub(super) fn interfaces(&self) -> &[InterfaceInfo] {
        &self.interface
    }

    /// The next packet, `None` at the end of the file. `number` counts packets.
    pub(super) fn next_packet<R: Read>(
        &mut self,
        source: &mut Source<R>,
        number: &mut u64,
    ) -> Result<Option<ForeignRecord>, ReadError> {
        let began = source.offset();
        let Some(header) = source.exact_or_end::<16>(PACKET)? else { return Ok(None) };
        let mut fields = Fields::new(&header, self.endian, began);
        let (seconds, fraction) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
        let length_at = fields.offset();
        let (captured, wire_len) = (fields.u32()?, fields.u32()?);
        if captured > LONGEST {
            return Err(ReadError::damaged(length_at, format!("a packet of {captured} bytes")));
        }
        let bytes = Bytes::from(source.body(captured, began, PACKET)?);
        *number += 1;
        let nanos = if self.nanos { fraction } else { fraction * 1_000 };
        Ok(Some(ForeignRecord {
            number: *number,
            at_ns: seconds * 1_000_000_000 + nanos,
            interface: 0,
            link_type: self.link_type,
            direction: self.link_type.direction(&bytes),
            bytes,
            wire_len: wire_len.max(captured) as usize,
            comments: Vec::new(),
            packet_id: None,
        }))
    }
}
