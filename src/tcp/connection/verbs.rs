//! The application asks for something (RFC 9293 §3.10.1 to §3.10.6).

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use super::{Connection, Context, Fin};
use crate::journal::{Reason, TcpState, Timer, Why};
use crate::tcp::congestion;
use crate::tcp::push::Room;
use crate::tcp::state::Cause;
use crate::transport::{CloseReason, PathReports, SocketError, SocketEvent, SocketOption};

/// What a segment in flight costs besides its octets: a record, and a chunk of the send queue.
const NOTE_COST: usize = 128;

impl Connection {
    /// SEND (§3.10.2): queues what finds room; returns how much that is. Before the connection is open it waits there.
    ///
    /// # Errors
    /// When nothing can be sent any more.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<usize, SocketError> {
        self.queue(data, false)
    }

    /// As [`Connection::send`], and more follows soon: what does not fill a segment waits for it, and no PSH is set.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send_more(&mut self, data: &[u8]) -> Result<usize, SocketError> {
        self.queue(data, true)
    }

    /// As [`Connection::send`], of what stands in several places: one send, however many they are.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send_parts(&mut self, parts: &[IoSlice<'_>]) -> Result<usize, SocketError> {
        let last = parts.iter().rposition(|part| !part.is_empty()).unwrap_or(0);
        let mut taken = 0;
        for (index, part) in parts.iter().enumerate().take(last + 1) {
            taken += self.queue(part, index < last)?;
            if self.write_blocked {
                break;
            }
        }
        Ok(taken)
    }

    pub(super) fn queue(&mut self, data: &[u8], more_follows: bool) -> Result<usize, SocketError> {
        if let Some(reason) = self.closed {
            return Err(self.failure(reason));
        }
        if self.fin != Fin::Open {
            return Err(SocketError::ShutDown);
        }
        let taken = self.send_room().min(data.len());
        self.send.append(&data[..taken]);
        self.write_blocked = taken < data.len();
        // What finds no room will be said by another call: so far this is all.
        self.more_follows = more_follows && !self.write_blocked;
        if taken > 0 {
            let room = self.room_for_marks(taken as u64);
            self.marks.queued(self.data_end(), taken as u64, room, self.more_follows);
        }
        Ok(taken)
    }

    /// How the last `taken` octets meet the windows.
    fn room_for_marks(&self, taken: u64) -> Room {
        let mss = u64::from(self.snd_mss().max(1));
        let begins = self.data_end() - taken;
        let segments = u64::from(self.cwnd.cwnd.saturating_sub(self.in_network()));
        let now = (segments * mss).min(self.window_room());
        Room {
            waits: (self.snd_nxt.max(1) + now).max(begins),
            half_window: u64::from(self.max_snd_wnd / 2).max(1),
            mss,
        }
    }

    /// Octets that [`Connection::send`] would take; when there is no room, somebody waits for it from now on.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn room(&mut self) -> Result<usize, SocketError> {
        if let Some(reason) = self.closed {
            return Err(self.failure(reason));
        }
        if self.fin != Fin::Open {
            return Err(SocketError::ShutDown);
        }
        let room = self.send_room();
        self.write_blocked |= room == 0;
        Ok(room)
    }

    /// Octets that the send buffer has room for. What is noted of segments in flight counts as far as it outweighs their
    /// data: many small ones would else hold a multiple of the buffer.
    pub(super) fn send_room(&self) -> usize {
        let notes = NOTE_COST * self.flight.unacked() as usize;
        let in_flight = (self.snd_nxt - self.snd_una) as usize;
        self.config.send_buffer.saturating_sub(self.send.len() + notes.saturating_sub(in_flight / 4))
    }

    /// Whoever waits for room in the send buffer hears of it as soon as a third of the buffer is free (as Linux).
    pub(super) fn wake_writer(&mut self, cx: &mut Context<'_>) {
        if self.write_blocked && self.send_room() >= (self.config.send_buffer / 3).max(1) {
            self.write_blocked = false;
            cx.notify(SocketEvent::Writable(cx.socket));
        }
    }

    /// SEND with URGENT: the last of these octets is the last of the urgent data (§3.8.5, MUST-30).
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send_urgent(&mut self, data: &[u8]) -> Result<usize, SocketError> {
        let taken = self.send(data)?;
        if taken > 0 {
            self.snd_up = Some(self.data_end());
        }
        Ok(taken)
    }

    /// RECEIVE (§3.10.3): `None` when nothing is there yet, 0 at the end of the stream.
    ///
    /// # Errors
    /// When the connection has failed.
    pub(crate) fn receive(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        if self.receive.unread() > 0 && self.may_read() {
            let taken = self.receive.read(buffer);
            self.rcv_up = self.rcv_up.filter(|end| *end > self.receive.first_unread());
            self.tell_of_room(cx);
            return Ok(Some(taken));
        }
        self.nothing_to_read()
    }

    /// As [`Connection::receive`], but takes nothing.
    ///
    /// # Errors
    /// When the connection has failed.
    pub(crate) fn peek(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        match self.receive.unread() {
            0 => self.nothing_to_read(),
            _ if !self.may_read() => Ok(None),
            _ => Ok(Some(self.receive.peek(buffer))),
        }
    }

    /// Whether what has arrived may be handed over: data of a simultaneous open waits for the handshake to be over.
    fn may_read(&self) -> bool {
        self.state() != TcpState::SynReceived || self.is_open_early()
    }

    /// What a reader is told when no octet is there.
    fn nothing_to_read(&self) -> Result<Option<usize>, SocketError> {
        match self.closed {
            // The stream was whole by then, whatever came after (as Linux).
            _ if self.fin_received => Ok(Some(0)),
            Some(CloseReason::Finished) => Ok(Some(0)),
            Some(reason) => Err(self.failure(reason)),
            None => Ok(None),
        }
    }

    /// After reading: the peer hears of the room, and gets the acknowledgment that waited for company, when nothing is
    /// left to wait for.
    fn tell_of_room(&mut self, cx: &mut Context<'_>) {
        if !self.state.may_receive() && !self.is_open_early() {
            return;
        }
        let (next, unread, mss) = (self.receive.next(), self.receive.unread(), self.acks.rcv_mss());
        let waits = self.timers.due(Timer::DelayedAck).is_some();
        if self.window.is_worth_an_update(next, unread, mss) {
            self.acks.demand(Reason::WindowUpdate);
        } else if waits && unread == 0 && !self.acks.is_conversation() {
            self.disarm(cx, Timer::DelayedAck);
            self.acks.demand(Reason::Acknowledge);
        }
    }

    /// CLOSE of our side (§3.10.4): FIN follows what is queued.
    pub(crate) fn shutdown(&mut self, cx: &mut Context<'_>) {
        if self.fin != Fin::Open || self.closed.is_some() {
            return;
        }
        match self.state() {
            TcpState::SynSent => self.end(cx, CloseReason::Aborted),
            TcpState::SynReceived => self.fin = Fin::Queued,
            TcpState::Established | TcpState::CloseWait => {
                self.fin = Fin::Queued;
                self.on(cx, Cause::Close);
            }
            TcpState::Closed
            | TcpState::Listen
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::TimeWait => {}
        }
    }

    /// Nobody holds the socket any more: it closes in the background. What arrived and was not read is lost to the peer's
    /// belief that it was, so the peer is told by a reset (§3.6.1, SHLD-3).
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        self.orphan = true;
        if self.state() == TcpState::TimeWait {
            // The peer knows that we are done; the wait goes on without what nobody will read (MUST-13).
            return self.receive.forget_unread();
        }
        if self.receive.unread() > 0 && self.closed.is_none() {
            self.send_reset(cx);
            return self.end(cx, CloseReason::Aborted);
        }
        self.shutdown(cx);
        if self.state() == TcpState::FinWait2 {
            self.arm(cx, Timer::FinWait2, cx.now + self.config.fin_wait_2);
        }
    }

    /// ABORT (§3.10.5): RST, in the states that owe the peer one.
    pub(crate) fn abort(&mut self, cx: &mut Context<'_>) {
        self.orphan = true;
        if self.closed.is_some() {
            return;
        }
        let owes_reset = matches!(
            self.state(),
            TcpState::SynReceived
                | TcpState::Established
                | TcpState::FinWait1
                | TcpState::FinWait2
                | TcpState::CloseWait
        );
        if owes_reset {
            self.send_reset(cx);
        }
        self.end(cx, CloseReason::Aborted);
    }

    fn send_reset(&mut self, cx: &mut Context<'_>) {
        let reset = self.reset_segment(cx);
        cx.told.lone(self.ends, reset, Why::of(Reason::Abort));
    }

    /// Changes an option.
    pub(crate) fn set_option(&mut self, cx: &mut Context<'_>, option: SocketOption) {
        apply(Arc::make_mut(&mut self.config), option);
        match option {
            SocketOption::Cork(false) => self.uncork(cx),
            SocketOption::QuickAck(quick) => {
                self.acks.set_quick(quick);
                if quick && self.timers.due(Timer::DelayedAck).is_some() {
                    self.acks.demand(Reason::Acknowledge);
                }
            }
            SocketOption::SendBuffer(_) => self.wake_writer(cx),
            SocketOption::ReceiveBuffer(octets) => self.window.resize(octets),
            SocketOption::WindowClamp(octets) => self.window.clamp_to(octets),
            SocketOption::KeepAlive(idle) => self.restart_keep_alive(cx, idle),
            SocketOption::UserTimeout(_) => self.settle_patience(cx, true),
            SocketOption::PathReports(PathReports::NotAsked) => self.stop_asking_the_path(cx),
            SocketOption::NoDelay(true) if self.more_follows => self.uncork(cx),
            SocketOption::Congestion(_) => self.change_congestion(),
            SocketOption::NoDelay(_)
            | SocketOption::Cork(true)
            | SocketOption::KeepAliveInterval(_)
            | SocketOption::KeepAliveProbes(_)
            | SocketOption::MaxSegment(_)
            | SocketOption::TimeToLive(_)
            | SocketOption::TrafficClass(_)
            | SocketOption::FinWait2(_)
            | SocketOption::PathReports(_)
            | SocketOption::SynRetries(_)
            | SocketOption::FastOpenQueue(_)
            | SocketOption::FastOpenKeys(_)
            | SocketOption::FastOpenWithoutCookie(_) => {}
        }
    }

    /// Another algorithm takes over. The window is the connection's and stays, but where one of the two knows none.
    fn change_congestion(&mut self) {
        let before = self.congestion.name();
        let seed = u64::from(self.iss.0) << 32 | u64::from(self.timestamp_offset);
        let (congestion, first) = congestion::begin(&self.config, seed);
        if congestion.name() == before {
            return;
        }
        if congestion.measures() {
            self.flight.measure_rates();
        }
        if [before, congestion.name()].contains(&congestion::UNLIMITED) {
            self.cwnd = first;
        }
        self.congestion = congestion;
    }

    /// Nobody will ever ask for it.
    pub(crate) fn orphan_quietly(&mut self) {
        self.orphan = true;
    }

    /// In TIME-WAIT a new connection takes over the ends.
    pub(crate) fn make_way(&mut self, cx: &mut Context<'_>) {
        self.end(cx, CloseReason::Finished);
    }

    fn restart_keep_alive(&mut self, cx: &mut Context<'_>, idle: Option<Duration>) {
        self.probes = 0;
        match idle {
            Some(idle) if self.state.is_synchronized() => {
                let due = (self.last_heard + idle).max(cx.now);
                self.arm(cx, Timer::KeepAlive, due);
            }
            Some(_) => {}
            None => self.disarm(cx, Timer::KeepAlive),
        }
    }

    /// What a verb answers once the connection has ended.
    fn failure(&self, reason: CloseReason) -> SocketError {
        match reason {
            CloseReason::Finished => SocketError::ShutDown,
            // The peer had closed and reads no more: a broken pipe (as Linux).
            CloseReason::Reset if self.fin_received => SocketError::ShutDown,
            reason => SocketError::Ended(reason),
        }
    }
}

/// Writes an option into what a connection, or those of a listener, begin with.
pub(crate) fn apply(config: &mut crate::tcp::config::Config, option: SocketOption) {
    match option {
        SocketOption::NoDelay(off) => config.no_delay = off,
        SocketOption::Cork(on) => config.cork = on,
        SocketOption::QuickAck(_) | SocketOption::WindowClamp(_) => {}
        SocketOption::UserTimeout(patience) => config.user_timeout = patience,
        SocketOption::KeepAlive(idle) => config.keep_alive = idle,
        SocketOption::KeepAliveInterval(interval) => config.keep_alive_interval = interval,
        SocketOption::KeepAliveProbes(probes) => config.keep_alive_probes = probes.max(1),
        SocketOption::MaxSegment(octets) => config.max_segment = Some(octets.max(1)),
        SocketOption::SendBuffer(octets) => config.send_buffer = octets.max(1),
        SocketOption::ReceiveBuffer(octets) => config.receive_buffer = octets.max(1),
        SocketOption::TimeToLive(hops) => config.time_to_live = hops.max(1),
        SocketOption::TrafficClass(class) => config.traffic_class = class,
        SocketOption::FinWait2(span) => config.fin_wait_2 = span,
        SocketOption::PathReports(reports) => config.path.reports = reports,
        SocketOption::SynRetries(times) => config.syn_retries = times,
        SocketOption::FastOpenQueue(connections) => config.fast_open.queue = connections,
        SocketOption::FastOpenKeys(keys) => config.fast_open.keys = Some(keys),
        SocketOption::FastOpenWithoutCookie(trusting) => config.fast_open.takes_without_cookie = trusting,
        SocketOption::Congestion(choice) => config.congestion = choice.into(),
    }
}

impl Connection {
    /// What was held back to become full goes as it is.
    pub(super) fn uncork(&mut self, cx: &mut Context<'_>) {
        self.disarm(cx, Timer::Cork);
        self.uncorked_to = self.data_end();
    }
}
