//! Sending and receiving over TCP (Linux's `tcp_sendmsg`, `tcp_recvmsg`).

use bytes::Bytes;

use super::fast_open::Opened;
use super::names::{
    IPPROTO_TCP, MSG_DONTWAIT, MSG_EOR, MSG_ERRQUEUE, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL,
    MSG_ZEROCOPY, TCP_CM_INQ,
};
use super::socket::{Role, Socket};
use super::stop::{Answer, Stop};
use super::{Address, Blocked, Control, Errno, Memory, Payload, Posix, Received, Reply, Written};
use crate::journal::{Snapshot, SocketId, TcpState};

/// Octets taken from the stack at a time.
const PIECE: usize = 64 * 1024;

/// What `send` and its like are asked to do.
pub(super) struct Sending<'a> {
    pub(super) data: &'a Payload,
    pub(super) flags: i32,
}

/// What `recv` and its like are asked to do.
#[derive(Clone, Copy)]
pub(super) struct Receiving {
    pub(super) length: usize,
    pub(super) flags: i32,
    pub(super) memory: Memory,
}

impl Posix {
    pub(super) fn send_stream(
        &mut self,
        fd: i32,
        sending: &Sending<'_>,
        to: Option<Address>,
        blocked: Blocked,
    ) -> Answer<Reply> {
        refuse_unsupported(sending.flags)?;
        let moved = match self.open_by_write(fd, sending, to, blocked)? {
            Opened::Over(reply) => return Ok(reply),
            Opened::Go(moved) => moved,
        };
        let blocked = Blocked { moved, ..blocked };
        let socket = self.descriptors.socket_at(fd)?;
        let Some(id) = socket.connection() else {
            return Err(socket.error.take().unwrap_or(Errno::EPIPE).into());
        };
        let snapshot = self.stack.snapshot(id).unwrap_or_default();
        let is_opening = matches!(snapshot.state, TcpState::SynSent | TcpState::SynReceived) && !snapshot.open_early;
        if is_opening && !socket.shut_write {
            if let Some(error) = socket.error.take() {
                return Err(error.into());
            }
            let timeout = socket.options.send_timeout;
            return self.sleep(fd, sending.flags, blocked, timeout, Errno::EAGAIN);
        }
        if socket.error.is_some() || socket.shut_write {
            return self.broken(fd, blocked);
        }
        match sending.data {
            // Linux copies before it looks for room.
            Payload::Bad(0) => Ok(Reply::value(0)),
            Payload::Bad(_) => Err(Errno::EFAULT.into()),
            Payload::Data(data) => self.queue(fd, id, data, sending.flags, blocked),
        }
    }

    /// A socket on which nothing can be sent any more: what went before still counts.
    fn broken(&mut self, fd: i32, blocked: Blocked) -> Answer<Reply> {
        match blocked.moved {
            0 => Err(self.descriptors.socket_at(fd)?.error.take().unwrap_or(Errno::EPIPE).into()),
            moved => Ok(Reply::value(moved as i64)),
        }
    }

    fn queue(&mut self, fd: i32, id: SocketId, data: &Bytes, flags: i32, blocked: Blocked) -> Answer<Reply> {
        let rest = data.get(blocked.moved..).unwrap_or_default();
        let snapshot = self.stack.snapshot(id).unwrap_or_default();
        let socket = self.descriptors.socket(fd)?;
        let timeout = socket.options.send_timeout;
        let room = match blocked.slept && !self.is_writable(socket, &snapshot) {
            true => 0,
            false => self.room(socket, &snapshot, rest.len()),
        };
        let now_sent = rest.get(..room).unwrap_or_default();
        let (sent, ability) = match now_sent {
            [] => (Ok(0), ""),
            _ if flags & MSG_OOB != 0 => (self.stack.send_urgent(self.now, id, now_sent), "MSG_OOB"),
            _ if flags & MSG_MORE != 0 => (self.stack.send_more(self.now, id, now_sent), "MSG_MORE"),
            _ => (self.stack.send(self.now, id, now_sent), "send"),
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => match Stop::of_stack(error, ability) {
                Stop::Fail(_) => return self.broken(fd, blocked),
                stop => return Err(stop),
            },
        };
        let moved = blocked.moved + sent;
        self.descriptors.socket_at(fd)?.wants_room = moved < data.len();
        match moved {
            _ if moved == data.len() => Ok(Reply::value(moved as i64)),
            0 => self.sleep(fd, flags, blocked, timeout, Errno::EAGAIN),
            _ => match self.sleep(fd, flags, Blocked { moved, ..blocked }, timeout, Errno::EAGAIN) {
                Err(Stop::Fail(_)) => Ok(Reply::value(moved as i64)),
                answer => answer,
            },
        }
    }

    pub(super) fn receive_stream(&mut self, fd: i32, asked: Receiving, blocked: Blocked) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        if asked.flags & MSG_ERRQUEUE != 0 {
            return no_error_queue(socket);
        }
        if asked.flags & MSG_OOB != 0 {
            return self.receive_urgent(fd);
        }
        if asked.length == 0 {
            return Ok(Reply { value: 0, written: Written::Received(Received::default()) });
        }
        let (asked, snapshot) = self.up_to_urgent(fd, asked)?;
        let socket = self.descriptors.socket_at(fd)?;
        if asked.memory == Memory::Bad && asked.flags & MSG_TRUNC == 0 && snapshot.receive_queue > 0 {
            return Err(Errno::EFAULT.into());
        }
        let enough = socket.enough(asked);
        let Some(id) = socket.connection() else { return self.nothing_to_receive(fd, asked, blocked, &snapshot) };
        let is_peek = asked.flags & MSG_PEEK != 0;
        let mut taken = std::mem::take(&mut socket.gathered);
        match is_peek {
            true => self.peek(id, asked.length, &mut taken)?,
            false => self.take(id, asked.length, &mut taken),
        }
        if taken.len() >= enough {
            return self.received(fd, asked, taken);
        }
        match self.nothing_to_receive(fd, asked, blocked, &snapshot) {
            Err(Stop::Block(blocked)) => {
                if !is_peek {
                    self.descriptors.socket_at(fd)?.gathered = taken;
                }
                Err(Stop::Block(blocked))
            }
            // The error, if any, is for the next call.
            _ if !taken.is_empty() => self.received(fd, asked, taken),
            answer => answer,
        }
    }

    /// What `recv` answers when the queue is empty, or holds too little.
    fn nothing_to_receive(
        &mut self,
        fd: i32,
        asked: Receiving,
        blocked: Blocked,
        snapshot: &Snapshot,
    ) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        let has_taken = !socket.gathered.is_empty();
        if socket.peer_closed {
            return Ok(Reply { value: 0, written: Written::Received(Received::default()) });
        }
        if let Some(error) = socket.error {
            if !has_taken {
                socket.error = None;
            }
            return Err(error.into());
        }
        if socket.shut_read {
            return Ok(Reply { value: 0, written: Written::Received(Received::default()) });
        }
        let is_deferred = matches!(socket.role, Role::Deferred(_));
        let is_unconnected = matches!(socket.role, Role::Idle | Role::Listening(_));
        if is_unconnected || (snapshot.state == TcpState::Closed && !is_deferred) {
            return Err(Errno::ENOTCONN.into());
        }
        let timeout = socket.options.receive_timeout;
        self.sleep(fd, asked.flags, blocked, timeout, Errno::EAGAIN)
    }

    fn take(&mut self, id: SocketId, most: usize, taken: &mut Vec<u8>) {
        while taken.len() < most {
            let before = taken.len();
            taken.resize(most.min(before + PIECE), 0);
            let room = taken.get_mut(before..).unwrap_or_default();
            // Whatever the connection ended with, its events have said so.
            let count = self.stack.receive_into(self.now, id, room).ok().flatten().unwrap_or(0);
            taken.truncate(before + count);
            if count == 0 {
                break;
            }
        }
    }

    fn peek(&mut self, id: SocketId, most: usize, taken: &mut Vec<u8>) -> Answer<()> {
        let there = self.stack.snapshot(id).map_or(0, |snapshot| snapshot.receive_queue);
        taken.resize(most.min(there), 0);
        if taken.is_empty() {
            return Ok(());
        }
        match self.stack.peek_into(id, taken) {
            Ok(count) => {
                taken.truncate(count.unwrap_or(0));
                Ok(())
            }
            Err(error) => Err(Stop::of_stack(error, "MSG_PEEK")),
        }
    }

    fn received(&mut self, fd: i32, asked: Receiving, taken: Vec<u8>) -> Answer<Reply> {
        let value = taken.len() as i64;
        let data = if asked.flags & MSG_TRUNC == 0 { Bytes::from(taken) } else { Bytes::new() };
        let socket = self.descriptors.socket(fd)?;
        let mut control = Vec::new();
        if socket.options.tells_queue {
            let left = self.unread(socket)?;
            let data = Bytes::copy_from_slice(&left.to_ne_bytes());
            control.push(Control { level: IPPROTO_TCP, kind: TCP_CM_INQ, data });
        }
        let received = Received { data, from: None, flags: 0, control };
        Ok(Reply { value, written: Written::Received(received) })
    }

    /// What `TCP_CM_INQ` tells: octets that wait; at the end of the stream one that is not there.
    fn unread(&self, socket: &Socket) -> Answer<i32> {
        let snapshot = socket.connection().and_then(|id| self.stack.snapshot(id)).unwrap_or_default();
        let end = usize::from(socket.peer_closed && snapshot.receive_queue == 0);
        i32::try_from(snapshot.receive_queue + end).map_err(|_| Errno::EINVAL.into())
    }
}

impl Socket {
    /// Octets that a call waits for.
    fn enough(&self, asked: Receiving) -> usize {
        match asked.flags & MSG_WAITALL != 0 {
            true => asked.length,
            false => asked.length.min(self.options.receive_low_water.max(1) as usize),
        }
    }
}

fn refuse_unsupported(flags: i32) -> Answer<()> {
    let missing = [(MSG_ZEROCOPY, "MSG_ZEROCOPY"), (MSG_EOR, "MSG_EOR")];
    match missing.iter().find(|(flag, _)| flags & flag != 0) {
        Some((_, name)) => Stop::unsupported(*name),
        None => Ok(()),
    }
}

/// Nothing here ever fills an error queue but `IP_RECVERR`, which is not told in this way.
fn no_error_queue(socket: &Socket) -> Answer<Reply> {
    match socket.options.receive_errors {
        true => Stop::unsupported("MSG_ERRQUEUE"),
        false => Err(Errno::EAGAIN.into()),
    }
}

/// Whether a call sleeps only if it must not.
pub(super) fn never_waits(nonblocking: bool, flags: i32) -> bool {
    nonblocking || flags & MSG_DONTWAIT != 0
}
