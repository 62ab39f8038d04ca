//! Events by comparison: what has changed in smoltcp's sockets since the last look.

use std::net::SocketAddr;
use std::time::Duration;

use smoltcp::socket::{tcp, udp};

use super::convert::{self, listen_endpoint, socket_address};
use super::{Entry, SmoltcpStack, Stream, clash, has_been_open};
use crate::journal::{Event, SocketId, TcpState};
use crate::stack::{CloseReason, SocketEvent};

/// How long a connection request may stay half open before its place in the backlog is given to another, as Linux has
/// it (`tcp_synack_retries` = 5). smoltcp by itself would wait for ever, and a few lost peers would close the listener.
const HALF_OPEN_PATIENCE: Duration = Duration::from_secs(63);

impl SmoltcpStack {
    /// Finds out what has changed since the last look, socket by socket.
    pub(super) fn compare(&mut self) {
        let mut pass = std::mem::take(&mut self.pass);
        pass.clear();
        pass.extend(self.entries.keys());
        for id in &pass {
            match self.entries.get(id) {
                Some(Entry::Stream(_)) => self.compare_stream(*id),
                Some(Entry::Udp(_)) => self.compare_datagrams(*id),
                Some(Entry::Listener(_)) => self.promote_spare(*id),
                None => {}
            }
        }
        self.pass = pass;
    }

    /// A connection that smoltcp closed by itself while it sent was given up; only TIME-WAIT ends so in order.
    pub(super) fn note_given_up(&mut self) {
        for entry in self.entries.values_mut() {
            if let Entry::Stream(stream) = entry
                && stream.state != TcpState::Closed
                && stream.state != TcpState::TimeWait
                && self.sockets.get::<tcp::Socket<'_>>(stream.handle).state() == tcp::State::Closed
            {
                stream.close_reason.get_or_insert(CloseReason::TimedOut);
            }
        }
    }

    pub(super) fn compare_datagrams(&mut self, id: SocketId) {
        let Some(Entry::Udp(datagrams)) = self.entries.get_mut(&id) else { return };
        let socket = self.sockets.get::<udp::Socket<'_>>(datagrams.handle);
        if datagrams.orphan && socket.send_queue() == 0 {
            self.sockets.remove(datagrams.handle);
            self.entries.remove(&id);
            return;
        }
        if socket.can_recv() {
            self.events.push(SocketEvent::Readable(id));
        }
        if datagrams.was_full && socket.can_send() {
            datagrams.was_full = false;
            self.events.push(SocketEvent::Writable(id));
        }
    }

    /// A spare socket that is no longer in LISTEN has become a connection; the listener gets a new spare.
    pub(super) fn promote_spare(&mut self, parent: SocketId) {
        let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) else { return };
        if let Some(handle) = listener.spare {
            let socket = self.sockets.get::<tcp::Socket<'_>>(handle);
            let Some((local, remote)) = socket.local_endpoint().zip(socket.remote_endpoint()) else { return };
            self.last_id += 1;
            let id = SocketId(self.last_id);
            listener.spare = None;
            listener.pending.push_back(id);
            let stream =
                Stream::new(handle, Some(parent), socket_address(local), socket_address(remote), TcpState::Listen);
            self.add_stream(id, stream);
            self.compare_stream(id);
        }
        self.refill_spare(parent);
    }

    /// The listener, if any, whose spare a connection request to `local` has taken.
    pub(super) fn promote_spare_at(&mut self, local: SocketAddr) {
        let taken = |id: &&SocketId| matches!(self.entries.get(id), Some(Entry::Listener(listener)) if clash(listener.local, local));
        if let Some(listener) = self.listeners.iter().find(taken).copied() {
            self.promote_spare(listener);
        }
    }

    pub(super) fn refill_spare(&mut self, parent: SocketId) {
        let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) else { return };
        if listener.spare.is_some() || listener.pending.len() >= listener.backlog {
            return;
        }
        let mut socket = convert::tcp_socket(&listener.config);
        convert::set_patience(&mut socket, Some(HALF_OPEN_PATIENCE));
        // Listening fails only on port 0 or an open socket; both are ruled out here.
        if socket.listen(listen_endpoint(listener.local)).is_ok() {
            listener.spare = Some(self.sockets.add(socket));
        }
    }

    pub(super) fn compare_stream(&mut self, id: SocketId) {
        let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) else { return };
        let socket = self.sockets.get::<tcp::Socket<'_>>(stream.handle);
        let mut state = convert::state(socket.state());
        if stream.parent.is_some() && state == TcpState::Listen && stream.state != TcpState::Listen {
            // smoltcp goes back to LISTEN after a reset in SYN-RECEIVED; for us that connection is over.
            state = TcpState::Closed;
        }
        let from = std::mem::replace(&mut stream.state, state);
        if from != state {
            let (local, remote) = (stream.local, stream.remote);
            self.journal.push(Event::State { socket: id, local, remote, from, to: state });
        }
        let ended = state == TcpState::Closed;
        let readable = socket.can_recv() || (!socket.may_recv() && has_been_open(state)) || ended;
        let writable = socket.can_send() || (!socket.may_send() && has_been_open(state)) || ended;
        let opened = !has_been_open(from) && has_been_open(state) && from != state;
        if opened && stream.parent.is_none() {
            self.events.push(SocketEvent::Connected(id));
        }
        if readable && (!stream.readable || socket.can_recv()) {
            self.events.push(SocketEvent::Readable(id));
        }
        if writable && !stream.writable {
            self.events.push(SocketEvent::Writable(id));
        }
        (stream.readable, stream.writable) = (readable, writable);
        let parent = stream.parent;
        if opened && let Some(parent) = parent {
            let handle = stream.handle;
            convert::set_patience(self.sockets.get_mut(handle), self.defaults.user_timeout);
            self.events.push(SocketEvent::Acceptable(parent));
        } else if from != state && state == TcpState::TimeWait {
            // The silence of TIME-WAIT is no failure, and no RST may end it.
            convert::set_patience(self.sockets.get_mut(stream.handle), None);
        }
        if ended && from != state {
            self.stream_ended(id, from);
        }
        self.bury(id);
    }

    fn stream_ended(&mut self, id: SocketId, from: TcpState) {
        let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) else { return };
        let in_order = matches!(from, TcpState::TimeWait | TcpState::LastAck);
        let presumed = if in_order { CloseReason::Finished } else { CloseReason::TimedOut };
        let reason = *stream.close_reason.get_or_insert(presumed);
        self.events.push(SocketEvent::Closed(id, reason));
        if let Some(parent) = stream.parent {
            // It was never accepted: nobody will ask for it.
            stream.orphan = true;
            if let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) {
                listener.pending.retain(|pending| *pending != id);
            }
        }
    }

    /// Forgets the ends of a connection that is closed once its last segment is out, and all of it when nobody holds it.
    pub(super) fn bury(&mut self, id: SocketId) {
        let Some(Entry::Stream(stream)) = self.entries.get(&id) else { return };
        let socket = self.sockets.get::<tcp::Socket<'_>>(stream.handle);
        let owes_reset = stream.close_reason == Some(CloseReason::Aborted) && socket.remote_endpoint().is_some();
        if stream.state != TcpState::Closed || owes_reset {
            return;
        }
        let (handle, orphan) = (stream.handle, stream.orphan);
        self.unlink_stream(id);
        if orphan {
            self.sockets.remove(handle);
            self.entries.remove(&id);
        }
    }
}
