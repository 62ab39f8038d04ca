//! What the stack tells of its sockets, taken in.

use super::Posix;
use super::names::{POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM};
use super::socket::{Role, Socket};
use super::stop::{of_close, of_delivery};
use crate::journal::SocketId;
use crate::stack::{CloseReason, SocketEvent};

const IN: u32 = (POLLIN | POLLRDNORM) as u32;
const OUT: u32 = (POLLOUT | POLLWRNORM) as u32;
const PRI: u32 = POLLPRI as u32;
/// Everybody who waits for anything is to look.
const ALL: u32 = 0;

impl Posix {
    /// Takes in what has happened to sockets since the last look. To be called after every use of [`Posix::stack`].
    pub fn settle(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        self.stack.drain_events(&mut events);
        for event in events.drain(..) {
            match event {
                SocketEvent::Readable(id) => self.stir_holder(id, IN),
                SocketEvent::Writable(id) => self.stir_holder(id, OUT),
                SocketEvent::Acceptable(id) => self.stir_holder(id, IN),
                SocketEvent::Urgent(id) => self.stir_holder(id, PRI),
                SocketEvent::Connected(id) => self.stir_holder(id, ALL),
                SocketEvent::Closed(id, reason) => self.has_closed(id, reason),
            }
        }
        self.events = events;
        self.look_for_fins();
        self.look_for_room();
    }

    /// Tells every epoll that something happened to a descriptor.
    pub(super) fn stir(&mut self, fd: i32, mask: u32) {
        for epoll in self.descriptors.epolls() {
            epoll.stir(fd, mask);
        }
    }

    fn stir_holder(&mut self, id: SocketId, mask: u32) {
        if let Some(fd) = self.descriptors.holder(id).map(|(fd, _)| fd) {
            self.stir(fd, mask);
        }
    }

    /// A connection is over: whatever was shut down by halves is now wholly so.
    fn has_closed(&mut self, id: SocketId, reason: CloseReason) {
        let tells_apart = !self.sysctls.freebsd;
        if let Some((fd, socket)) = self.descriptors.holder(id) {
            let error = of_close(reason, socket.peer_closed && tells_apart);
            socket.error = error.or(socket.error);
            (socket.shut_read, socket.shut_write) = (true, true);
            self.stir(fd, ALL);
            return;
        }
        for (_, socket) in self.descriptors.sockets() {
            if let Role::Listening(listener) = &mut socket.role
                && let Some(waiting) = listener.waiting.iter_mut().find(|waiting| waiting.id == id)
            {
                waiting.error = of_close(reason, false);
                return;
            }
        }
        // Open early, and over before anybody has accepted it.
        self.ended_early.insert(id, reason);
    }

    /// Remembers the peers that have closed, since a connection's last state does not tell any more; and errors of the
    /// network that a program wants at once.
    fn look_for_fins(&mut self) {
        for (_, socket) in self.descriptors.sockets() {
            let Some(id) = socket.connection() else { continue };
            if let Some(snapshot) = self.stack.snapshot(id) {
                socket.peer_closed |= snapshot.state.peer_has_closed();
                socket.widest_window = socket.widest_window.max(snapshot.snd_wnd.unwrap_or(0));
            }
            if socket.options.receive_errors && socket.error.is_none() {
                socket.error = self.stack.take_error(id).map(of_delivery);
            }
        }
    }
}

impl Posix {
    /// Tells those who wait for room once there is enough of it, which the stack's own buffer does not know.
    fn look_for_room(&mut self) {
        let waiting =
            |(fd, socket): (i32, &mut Socket)| socket.connection().filter(|_| socket.wants_room).map(|id| (fd, id));
        let waiting: Vec<(i32, SocketId)> = self.descriptors.sockets().filter_map(waiting).collect();
        for (fd, id) in waiting {
            let snapshot = self.stack.snapshot(id).unwrap_or_default();
            let roomy = self.descriptors.socket(fd).is_ok_and(|socket| self.is_writable(socket, &snapshot));
            if roomy && let Ok(socket) = self.descriptors.socket_at(fd) {
                socket.wants_room = false;
                self.stir(fd, OUT);
            }
        }
    }
}

impl Socket {
    /// Whether nothing more can come: the peer's FIN, or `shutdown`.
    pub(super) fn is_at_end(&self) -> bool {
        self.shut_read || self.peer_closed
    }
}
