//! Where a packet begins and ends in a stream (§2.2).
//!
//! ```text
//!   | type, flags | remaining length, 1 to 4 octets | so many octets |
//! ```
//!
//! The codec reads the packet; that it is whole, not too long, and fills its length exactly is seen to here.

use std::io;

use mqtt_proto::v3::Packet;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Octets of the longest packet that is taken, its header included.
pub(super) const LONGEST: usize = 1 << 18;

/// Why a packet cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The connection's own.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no packet.
    #[error("{0}")]
    Malformed(String),
}

/// A stream's octets on their way to become packets.
#[derive(Default)]
pub(super) struct Inbox {
    octets: Vec<u8>,
}

impl Inbox {
    /// The next packet; `None` when the stream ends where a packet ends. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Packet>, WireError> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(Some(packet));
            }
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).await?;
            if length == 0 {
                return match self.octets.is_empty() {
                    true => Ok(None),
                    false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                };
            }
            self.octets.extend_from_slice(piece.get(..length).unwrap_or_default());
        }
    }

    /// The first packet of what has come, if it is whole.
    fn take(&mut self) -> Result<Option<Packet>, WireError> {
        let Some(length) = length(&self.octets)? else { return Ok(None) };
        if self.octets.len() < length {
            return Ok(None);
        }
        let rest = self.octets.split_off(length);
        let whole = std::mem::replace(&mut self.octets, rest);
        let malformed = |why: &dyn ToString| WireError::Malformed(why.to_string());
        let packet = Packet::decode(&whole).map_err(|error| malformed(&error))?;
        let packet = packet.ok_or_else(|| malformed(&"it ends before its content does"))?;
        // The codec reads what it knows of; octets behind that would be nobody's.
        match packet.encode_len() {
            Ok(length) if length == whole.len() => Ok(Some(packet)),
            _ => Err(malformed(&"its length is not that of its content")),
        }
    }
}

/// Octets of the packet that begins here; `None` when more have to come before that is known.
fn length(octets: &[u8]) -> Result<Option<usize>, WireError> {
    let mut remaining = 0;
    for (place, octet) in octets.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(octet & 0x7f) << (7 * place);
        if octet & 0x80 == 0 {
            let length = 2 + place + remaining;
            return match length <= LONGEST {
                true => Ok(Some(length)),
                false => Err(WireError::Malformed(format!("a packet of {length} octets; at most {LONGEST} are taken"))),
            };
        }
    }
    match octets.len() > 4 {
        true => Err(WireError::Malformed("a length of more than four octets".to_owned())),
        false => Ok(None),
    }
}

/// Writes a packet in one go, so that it leaves in one segment where it fits.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), packet: &Packet) -> io::Result<()> {
    let octets = packet.encode().map_err(io::Error::other)?;
    stream.write_all(octets.as_ref()).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<Option<Packet>, String> {
        let mut inbox = Inbox { octets: octets.to_vec() };
        inbox.take().map_err(|error| error.to_string())
    }

    #[test]
    fn a_packet_is_taken_once_it_is_whole_and_what_follows_stays() {
        let ping = [0xc0, 0];
        assert_eq!(read(&ping), Ok(Some(Packet::Pingreq)));
        assert_eq!(read(&ping[..1]), Ok(None));
        let mut inbox = Inbox { octets: [ping, ping, [0xe0, 0]].concat() };
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take().expect("they are packets")).collect();
        assert_eq!(taken, [Packet::Pingreq, Packet::Pingreq, Packet::Disconnect]);
    }

    #[test]
    fn what_is_no_packet_is_told_from_what_is_not_whole() {
        let table: [(&[u8], &str); 6] = [
            (&[0xc0, 0x80, 0x80, 0x80, 0x80], "more than four octets"),
            (&[0x30, 0xff, 0xff, 0xff, 0x7f], "at most 262144 are taken"),
            (&[0xc0, 1, 0], "its length is not that of its content"),
            (&[0x40, 1, 0], "it ends before its content does"),
            (&[0x40, 2, 0, 0], "packet identifier is 0"),
            (&[0xf0, 0], "invalid header"),
        ];
        for (octets, expected) in table {
            assert!(read(octets).is_err_and(|error| error.contains(expected)), "{octets:?}: {:?}", read(octets));
        }
        assert_eq!(read(&[0x30, 0x80]), Ok(None));
    }
}
