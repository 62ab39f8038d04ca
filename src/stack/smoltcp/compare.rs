//! Events by comparison: what has changed in smoltcp's sockets since the last look.

use std::time::Duration;

use smoltcp::socket::{tcp, udp};

use super::convert::{self, listen_endpoint, socket_address};
use super::{Entry, SmoltcpStack, Stream, has_been_open};
use crate::journal::{Event, SocketId, TcpState};
use crate::stack::SocketEvent;

/// How long a connection request may stay half open before its place in the backlog is given to another, as Linux has
/// it (`tcp_synack_retries` = 5). smoltcp by itself would wait for ever, and a few lost peers would close the listener.
const HALF_OPEN_PATIENCE: Duration = Duration::from_secs(63);

impl SmoltcpStack {
    /// Finds out what has changed since the last look, socket by socket.
    pub(super) fn compare(&mut self) {
        self.promote_spares();
        let ids: Vec<SocketId> = self.entries.keys().copied().collect();
        for id in ids {
            match self.entries.get_mut(&id) {
                Some(Entry::Stream(_)) => {
                    self.compare_stream(id);
                    self.bury(id);
                }
                Some(Entry::Udp(_)) => self.compare_datagrams(id),
                Some(Entry::Listener(_)) | None => {}
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
    fn promote_spares(&mut self) {
        let listeners: Vec<SocketId> =
            self.entries.iter().filter_map(|(id, entry)| matches!(entry, Entry::Listener(_)).then_some(*id)).collect();
        for parent in listeners {
            let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) else { continue };
            let Some(handle) = listener.spare else {
                self.refill_spare(parent);
                continue;
            };
            let socket = self.sockets.get::<tcp::Socket<'_>>(handle);
            let Some((local, remote)) = socket.local_endpoint().zip(socket.remote_endpoint()) else { continue };
            listener.spare = None;
            let id = self.new_id();
            let stream =
                Stream::new(handle, Some(parent), socket_address(local), socket_address(remote), TcpState::Listen);
            self.entries.insert(id, Entry::Stream(stream));
            if let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) {
                listener.pending.push_back(id);
            }
            self.refill_spare(parent);
        }
    }

    pub(super) fn refill_spare(&mut self, parent: SocketId) {
        let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) else { return };
        if listener.spare.is_some() || listener.pending.len() >= listener.backlog {
            return;
        }
        let mut socket = convert::tcp_socket(&self.defaults);
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
            self.journal.push(Event::State { socket: id, from, to: state });
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
        }
        if ended && from != state {
            self.stream_ended(id, from);
        }
    }

    fn stream_ended(&mut self, id: SocketId, from: TcpState) {
        let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) else { return };
        let reason = stream.close_reason(from);
        self.events.push(SocketEvent::Closed(id, reason));
        if let Some(parent) = stream.parent {
            // It was never accepted: nobody will ask for it.
            stream.orphan = true;
            if let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) {
                listener.pending.retain(|pending| *pending != id);
            }
        }
        self.bury(id);
    }

    /// Removes a connection that is closed and that nobody holds, once its last segment is out.
    pub(super) fn bury(&mut self, id: SocketId) {
        if let Some(Entry::Stream(stream)) = self.entries.get(&id)
            && stream.orphan
            && stream.state == TcpState::Closed
            && self.sockets.get::<tcp::Socket<'_>>(stream.handle).remote_endpoint().is_none_or(|_| !stream.aborted)
        {
            self.sockets.remove(stream.handle);
            self.entries.remove(&id);
        }
    }
}
