//! Time passes: a timer fires (RFC 9293 §3.8.3, §3.8.4, §3.8.6.1, §3.10.8; RFC 6298 §5).

use std::time::Duration;

use super::{Connection, Context};
use crate::journal::{Event, Reason, TcpState, Timer, Why};
use crate::transport::CloseReason;

/// Times that a connection which nobody holds sends its last data again (Linux's tcp_orphan_retries).
const ORPHAN_RETRIES: u8 = 8;

/// A keep-alive timer waits for so long at least, whatever is asked for: one that waits for nothing would stop the clock.
const LEAST_WAIT: Duration = Duration::from_millis(1);

impl Connection {
    /// Lets every timer fire whose time has come.
    pub(crate) fn expire(&mut self, cx: &mut Context<'_>) {
        while let Some(timer) = self.timers.take_due(cx.now) {
            cx.tell(Event::TimerFired { socket: cx.socket, timer });
            match timer {
                Timer::DelayedAck => self.delayed_ack_expires(),
                Timer::Retransmission => self.retransmission_expires(cx),
                Timer::TailProbe => self.tail_probe_expires(cx),
                Timer::Reordering => self.reordering_expires(cx),
                Timer::Persist => self.persist_expires(cx),
                Timer::KeepAlive => self.keep_alive_expires(cx),
                Timer::UserTimeout => self.give_up(cx),
                Timer::Cork => {
                    // It has waited in vain: this is all there is.
                    self.marks.ends(self.data_end());
                    self.uncork(cx);
                }
                Timer::FinWait2 | Timer::TimeWait => self.end(cx, CloseReason::Finished),
                Timer::Pacing | Timer::Neighbour | Timer::Reassembly | Timer::Unnamed => {}
            }
        }
    }

    /// RFC 6298 §5.4 to §5.7: the oldest segment goes again, the time-out doubles, and everything in flight is lost.
    fn retransmission_expires(&mut self, cx: &mut Context<'_>) {
        let most = match self.state() {
            TcpState::SynSent => self.config.syn_retries,
            // Linux is more patient with one that somebody may hold already.
            TcpState::SynReceived => self.config.syn_ack_retries.saturating_add(self.is_open_early().into()),
            _ if self.orphan => self.config.retries.min(ORPHAN_RETRIES),
            _ => self.config.retries,
        };
        if self.retries >= most {
            return self.give_up(cx);
        }
        let rto = self.round_trip.rto(self.backoff).duration();
        self.retries += 1;
        self.backoff = self.backoff.saturating_add(1);
        if matches!(self.state(), TcpState::SynSent | TcpState::SynReceived) {
            self.due = Some(Reason::RetransmitByTimer { nth: self.retries.into(), rto });
            return;
        }
        self.lose_flight(cx, self.retries > 1);
        self.path_timed_out(cx);
    }

    /// No acknowledgment came for the end of the flight: one segment more shall bring it (RFC 8985 §7.3).
    fn tail_probe_expires(&mut self, cx: &mut Context<'_>) {
        self.probe_due = !self.flight.is_empty() && self.recovery.may_probe(&self.flight);
        if self.probe_due {
            // The probe gets its time, too: the retransmission timer begins anew.
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Retransmission, cx.now + rto);
        }
    }

    /// The peer's window is still closed, as far as we know: ask (RFC 9293 §3.8.6.1; MUST-37: for ever, while it answers).
    fn persist_expires(&mut self, cx: &mut Context<'_>) {
        if !self.is_held_by_window() {
            return;
        }
        if self.window_room() > 0 {
            // Too little to be worth a segment, but nothing better has come: use it (§3.8.6.2.1, the override time-out).
            self.window_override = true;
            return;
        }
        let most = if self.orphan { self.config.retries.min(ORPHAN_RETRIES) } else { self.config.retries };
        if self.probes >= most {
            return self.give_up(cx);
        }
        self.probes += 1;
        self.backoff = self.backoff.saturating_add(1);
        self.due = Some(Reason::ZeroWindowProbe);
        let rto = self.round_trip.rto(self.backoff).duration();
        self.arm(cx, Timer::Persist, cx.now + rto);
    }

    /// The connection has been idle: is the peer still there? (RFC 9293 §3.8.4.)
    fn keep_alive_expires(&mut self, cx: &mut Context<'_>) {
        let Some(idle) = self.config.keep_alive.map(|idle| idle.max(LEAST_WAIT)) else { return };
        if !self.state.is_synchronized() || self.state() == TcpState::TimeWait {
            return;
        }
        if !self.flight.is_empty() || self.timers.due(Timer::Persist).is_some() {
            // Data in flight asks the same question (MUST-26).
            return self.arm(cx, Timer::KeepAlive, cx.now + idle);
        }
        let quiet = self.last_heard + idle;
        if self.probes == 0 && quiet > cx.now {
            // Not idle for so long: the peer was heard meanwhile (MUST-26).
            return self.arm(cx, Timer::KeepAlive, quiet);
        }
        if self.probes >= self.config.keep_alive_probes {
            let reset = self.reset_segment(cx);
            cx.told.lone(self.ends, reset, Why::of(Reason::GiveUp));
            return self.give_up(cx);
        }
        self.probes += 1;
        self.due = Some(Reason::KeepAlive);
        self.arm(cx, Timer::KeepAlive, cx.now + self.config.keep_alive_interval.max(LEAST_WAIT));
    }

    /// Nobody answers (RFC 9293 §3.8.3, R2). What the network has reported meanwhile is the better explanation.
    fn give_up(&mut self, cx: &mut Context<'_>) {
        let reason = self.soft_error.take().map_or(CloseReason::TimedOut, CloseReason::Unreachable);
        self.end(cx, reason);
    }
}
