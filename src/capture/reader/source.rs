//! Octets of a file, counted, in either byte order.

use std::io::{self, Read};

use super::ReadError;

/// Nothing that one packet needs is longer. Wireshark refuses longer blocks too.
pub(super) const LONGEST: u32 = 16 << 20;

/// The byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endian {
    Big,
    Little,
}

impl Endian {
    pub(super) fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Endian::Big => u16::from_be_bytes(octets),
            Endian::Little => u16::from_le_bytes(octets),
        }
    }

    pub(super) fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Endian::Big => u32::from_be_bytes(octets),
            Endian::Little => u32::from_le_bytes(octets),
        }
    }

    pub(super) fn u64(self, octets: [u8; 8]) -> u64 {
        match self {
            Endian::Big => u64::from_be_bytes(octets),
            Endian::Little => u64::from_le_bytes(octets),
        }
    }
}

/// A file with a count of the octets read.
#[derive(Debug)]
pub(super) struct Source<R> {
    from: R,
    offset: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(from: R) -> Source<R> {
        Source { from, offset: 0 }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Fills `buffer` as far as the file goes; returns how far that was.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.from.read(rest) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Io { offset: self.offset, source }),
            }
        }
        Ok(filled)
    }

    /// The next `N` octets; `what` names the part they belong to, which began at `began`.
    pub(super) fn exact<const N: usize>(&mut self, began: u64, what: &'static str) -> Result<[u8; N], ReadError> {
        let mut octets = [0; N];
        match self.fill(&mut octets)? {
            present if present == N => Ok(octets),
            _ => Err(ReadError::Truncated { offset: self.offset, began, what }),
        }
    }

    /// As [`Source::exact`], but `None` when the file ends right here.
    pub(super) fn exact_or_end<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>, ReadError> {
        let began = self.offset;
        let mut octets = [0; N];
        match self.fill(&mut octets)? {
            0 => Ok(None),
            present if present == N => Ok(Some(octets)),
            _ => Err(ReadError::Truncated { offset: self.offset, began, what }),
        }
    }

    /// The next `length` octets, at most [`LONGEST`] by the caller's care. The buffer grows with what is really there.
    pub(super) fn body(&mut self, length: u32, began: u64, what: &'static str) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::with_capacity(length.min(1 << 16) as usize);
        let read = self.from.by_ref().take(u64::from(length)).read_to_end(&mut body);
        self.offset += body.len() as u64;
        match read {
            Ok(count) if count as u64 == u64::from(length) => Ok(body),
            Ok(_) => Err(ReadError::Truncated { offset: self.offset, began, what }),
            Err(source) => Err(ReadError::Io { offset: self.offset, source }),
        }
    }

    /// Passes over `length` octets without keeping them, or over as many as there are: the next read will tell.
    pub(super) fn skip(&mut self, length: u32) -> Result<(), ReadError> {
        match io::copy(&mut self.from.by_ref().take(u64::from(length)), &mut io::sink()) {
            Ok(count) => {
                self.offset += count;
                Ok(())
            }
            Err(source) => Err(ReadError::Io { offset: self.offset, source }),
        }
    }
}

/// The fields of one block, read from front to back.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    endian: Endian,
    offset: u64,
}

impl<'a> Fields<'a> {
    /// `offset` is where `bytes` begin in the file.
    pub(super) fn new(bytes: &'a [u8], endian: Endian, offset: u64) -> Fields<'a> {
        Fields { bytes, endian, offset }
    }

    /// Where the next field stands in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        match self.bytes.split_at_checked(length) {
            Some((taken, rest)) => {
                self.bytes = rest;
                self.offset += length as u64;
                Ok(taken)
            }
            None => Err(ReadError::damaged(
                self.offset,
                format!("a field of {length} bytes in a block that has {} left", self.bytes.len()),
            )),
        }
    }

    /// A field and the padding to the next multiple of four octets; a writer that forgot the last padding is forgiven.
    pub(super) fn padded(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let taken = self.take(length)?;
        self.take((length.next_multiple_of(4) - length).min(self.remaining()))?;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut octets = [0; N];
        octets.copy_from_slice(self.take(N)?);
        Ok(octets)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ReadError> {
        let [octet] = self.array()?;
        Ok(octet)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ReadError> {
        Ok(self.endian.u16(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ReadError> {
        Ok(self.endian.u32(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, ReadError> {
        Ok(self.endian.u64(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, ReadError> {
        Ok(self.u64()? as i64)
    }

    /// The next option of a pcapng block: its code and value; `None` at their end.
    pub(super) fn option(&mut self) -> Result<Option<(u16, Fields<'a>)>, ReadError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (code, length) = (self.u16()?, self.u16()?);
        if code == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        let value = self.padded(usize::from(length))?;
        Ok(Some((code, Fields::new(value, self.endian, offset))))
    }

    /// All that is left, as text; what is not UTF-8 is replaced, and a NUL at the end is not part of it.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).trim_end_matches('\0').to_owned()
    }
}
