//! Urgent data as Linux shows it: one octet beside the stream, unless `SO_OOBINLINE` says otherwise.
//!
//! The stack leaves it in the stream and says where it ends (RFC 6093 §6). Here it is taken out: a `recv` never reads past
//! the octet before it, and the next one begins behind it.

use bytes::Bytes;

use super::stop::Answer;
use super::transfer::Receiving;
use super::{Errno, Posix, Received, Reply, Written};
use crate::journal::Snapshot;

impl Posix {
    /// Takes the urgent octet out of the stream if it is next, and cuts `asked` so that it ends before one that is ahead;
    /// with the connection's snapshot after that.
    pub(super) fn up_to_urgent(&mut self, fd: i32, asked: Receiving) -> Answer<(Receiving, Snapshot)> {
        let socket = self.descriptors.socket_at(fd)?;
        let Some(id) = socket.connection() else { return Ok((asked, Snapshot::default())) };
        let mut snapshot = self.stack.snapshot(id).unwrap_or_default();
        if socket.options.urgent_inline {
            return Ok((asked, snapshot));
        }
        if snapshot.urgent == Some(1) && snapshot.receive_queue > 0 {
            let mut octet = [0];
            if let Ok(Some(1)) = self.stack.receive_into(self.now, id, &mut octet) {
                let told = std::mem::take(&mut socket.urgent_told);
                socket.urgent = (!told).then_some(octet[0]);
            }
            snapshot = self.stack.snapshot(id).unwrap_or_default();
        }
        let before = snapshot.urgent.map(|octets| octets.saturating_sub(1) as usize).filter(|before| *before > 0);
        let length = asked.length.min(before.unwrap_or(usize::MAX));
        Ok((Receiving { length, ..asked }, snapshot))
    }

    /// `recv` with `MSG_OOB`: the urgent octet, once.
    pub(super) fn receive_urgent(&mut self, fd: i32) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        if socket.options.urgent_inline {
            return Err(Errno::EINVAL.into());
        }
        let octet = match (socket.urgent.take(), socket.connection()) {
            (Some(octet), _) => octet,
            (None, None) => return Err(Errno::ENOTCONN.into()),
            (None, Some(id)) => {
                let snapshot = self.stack.snapshot(id).unwrap_or_default();
                let ahead = snapshot.urgent.filter(|ahead| *ahead > 0 && !socket.urgent_told).ok_or(Errno::EINVAL)?;
                if ahead as usize > snapshot.receive_queue {
                    return Err(Errno::EAGAIN.into());
                }
                let mut octets = vec![0; ahead as usize];
                match self.stack.peek_into(id, &mut octets) {
                    Ok(Some(count)) if count == octets.len() => {}
                    _ => return Err(Errno::EAGAIN.into()),
                }
                socket.urgent_told = true;
                octets.last().copied().ok_or(Errno::EAGAIN)?
            }
        };
        let received = Received { data: Bytes::copy_from_slice(&[octet]), ..Received::default() };
        Ok(Reply { value: 1, written: Written::Received(received) })
    }

    /// Whether urgent data was taken out of a stream that holds nothing else.
    pub(super) fn has_passed_urgent(&self, fd: i32) -> bool {
        self.descriptors.socket(fd).is_ok_and(|socket| socket.urgent.is_some())
    }
}
