//! Messages of the protocol, and how their contents are read (PostgreSQL's documentation, *Message Formats*).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest message that is taken, in octets of content.
const LONGEST: usize = 1 << 20;

/// `AuthenticationRequest`
pub(super) const AUTHENTICATION: u8 = b'R';
/// `ReadyForQuery`
pub(super) const READY: u8 = b'Z';
/// `Query`
pub(super) const QUERY: u8 = b'Q';
/// `RowDescription`
pub(super) const ROW_DESCRIPTION: u8 = b'T';
/// `DataRow`
pub(super) const DATA_ROW: u8 = b'D';
/// `CommandComplete`
pub(super) const COMMAND_COMPLETE: u8 = b'C';
/// `ErrorResponse`
pub(super) const ERROR: u8 = b'E';
/// `Terminate`
pub(super) const TERMINATE: u8 = b'X';

/// Version 3.0 of the protocol, as a `StartupMessage` has it.
pub(super) const VERSION_3: i32 = 3 << 16;

/// A message without its length.
pub(super) struct Message {
    /// Its type; a startup message has none, and 0 stands for it here.
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

/// The next message; `None` where the stream ends in good order.
///
/// # Errors
/// `InvalidData` for a length that is none, and the stream's own.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Message>> {
    let mut kind = [0; 1];
    if stream.read(&mut kind).await? == 0 {
        return Ok(None);
    }
    let content = content(stream).await?;
    Ok(Some(Message { kind: kind[0], content }))
}

/// The first message of a client, which has no type.
///
/// # Errors
/// As for [`read`].
pub(super) async fn read_startup(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    Ok(Message { kind: 0, content: content(stream).await? })
}

async fn content(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let announced = stream.read_i32().await?;
    let length = usize::try_from(announced).ok().and_then(|length| length.checked_sub(4));
    let Some(length) = length.filter(|length| *length <= LONGEST) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{announced} is no length of a message")));
    };
    // Room is made as octets come, not as they are announced.
    let mut content = Vec::new();
    stream.take(length as u64).read_to_end(&mut content).await?;
    if content.len() == length { Ok(content) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Appends a message to `out`; `kind` 0 stands for none.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    if kind != 0 {
        out.push(kind);
    }
    // What is written here is far shorter than what would not fit.
    let length = u32::try_from(content.len() + 4).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(content);
}

/// A content that is being read, part by part. What is not there is `None`.
pub(super) struct Parts<'a>(pub(super) &'a [u8]);

impl<'a> Parts<'a> {
    pub(super) fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(part)
    }

    pub(super) fn int16(&mut self) -> Option<i16> {
        self.octets(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self) -> Option<i32> {
        self.octets(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// A text that ends with a zero octet.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|octet| *octet == 0)?;
        let text = self.octets(end)?;
        self.octets(1)?;
        std::str::from_utf8(text).ok()
    }
}
