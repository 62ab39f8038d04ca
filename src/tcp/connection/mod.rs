//! One connection: the variables of RFC 9293 §3.3.1, and the conductor who asks the leaves and acts on their answers.
//!
//! ```text
//!   sent, acknowledged   sent, not acknowledged    may be sent         may not be sent yet
//!   ────────────────┼──────────────────────────┼──────────────────┼───────────────────────►
//!                SND.UNA                    SND.NXT       SND.UNA + SND.WND
//!
//!   received, in order            may be received                 may not be received yet
//!   ────────────────┼─────────────────────────────────────────┼───────────────────────────►
//!                RCV.NXT                             RCV.NXT + RCV.WND
//! ```
//!
//! It is split by stimulus. What lives where:
//!
//! | stimulus | file | RFC 9293 |
//! |---|---|---|
//! | it is born | `birth` | §3.3.1 |
//! | the application asks for something | `verbs` | §3.10.1 to §3.10.6 |
//! | a handshake begins or is answered | `opening` | §3.5, §3.10.7.2, §3.10.7.3 |
//! | … with data in its first segment | `early` | RFC 7413 |
//! | a segment arrives | `arrives` | §3.10.7.4, check by check |
//! | … and acknowledges something | `acknowledge` | §3.10.7.4 fifth check, RFC 6298 |
//! | … and shows what is lost, or not | `recover` | RFC 5681, RFC 6675, RFC 8985, RFC 6937 |
//! | time passes | `expire` | §3.10.8, RFC 6298 §5 |
//! | output is due | `output` | §3.7, §3.8 |
//! | … of what was sent before | `again` | RFC 5681 §3.2, RFC 8985 §7.3 |
//! | … and is put together | `segments` | §3.1 |
//! | the path takes less than was sent, or more | `path` | §3.7.2, RFC 1191, RFC 8201, RFC 4821 |
//! | somebody looks | `snapshot` | |
//!
//! Each of them is a child module, so that it sees the private fields: there are no setters.
//!
//! Sequence numbers are kept as *positions*, 64 bits that do not wrap: on the sending side the SYN stands at 0 and the
//! first octet at 1; on the receiving side the first octet stands at 0. [`Connection::seq`] and its fellows convert.

mod acknowledge;
mod again;
mod arrives;
mod birth;
mod context;
mod early;
mod expire;
mod opening;
mod output;
mod path;
mod recover;
mod segments;
mod snapshot;
mod verbs;

pub(crate) use birth::{Birth, own_mss};
pub(crate) use context::{Context, Told};
pub(crate) use early::early_room;
pub(crate) use verbs::apply;

use std::sync::Arc;

use super::acks::Acks;
use super::config::Config;
use super::congestion::{CongestionControl, Usage, Window};
use super::flight::Flight;
use super::octets::Octets;
use super::options;
use super::pacing::Pacer;
use super::path::Path;
use super::push::Marks;
use super::reassembly::Reassembly;
use super::recovery::Recovery;
use super::rtt::RoundTrip;
use super::segment::Ends;
use super::state::{Cause, State};
use super::timers::Timers;
use super::window::ReceiveWindow;
use crate::journal::{Agreed, CwndCause, DropReason, Event, Reason, SocketId, TcpState, Timer};
use crate::packet::{DeliveryError, SeqNum};
use crate::time::Instant;
use crate::transport::{CloseReason, SocketEvent};

/// What is known of the connection's beginning (RFC 9293 MUST-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The application opened it.
    Active,
    /// A listener's; the socket is the listener's.
    Passive(SocketId),
}

/// Whether our side is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    /// The application may send.
    Open,
    /// FIN follows what is queued.
    Queued,
    /// FIN has been sent; it stands at the position before SND.NXT.
    Sent,
}

/// What both sides have agreed on in the handshake, and what each announced.
#[derive(Clone, Copy, Debug)]
struct Terms {
    agreed: Agreed,
    /// The peer's maximum segment size; the default when it announced none (RFC 9293 MUST-15).
    peer_mss: u16,
    /// What we announced.
    own_mss: u16,
    /// The shift of the peer's window field.
    snd_scale: u8,
}

/// Our side of ECN (RFC 3168 §6.1).
#[derive(Clone, Copy, Debug, Default)]
struct EcnState {
    /// Our SYN asked for it.
    asked: bool,
    /// A mark has arrived: echo it in every acknowledgment until the peer says CWR.
    echo: bool,
    /// The window was reduced: say CWR with the next new data.
    reduced: bool,
}

/// The peer's timestamps (RFC 7323 §4.3, §5).
#[derive(Clone, Copy, Debug, Default)]
struct PeerClock {
    /// TS.Recent.
    ts_recent: u32,
    /// When it was taken.
    taken: Instant,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    ends: Ends,
    state: State,
    origin: Origin,
    config: Arc<Config>,
    terms: Terms,

    /// ISS: our initial sequence number.
    iss: SeqNum,
    /// SND.UNA, as a position.
    snd_una: u64,
    /// SND.NXT, as a position.
    snd_nxt: u64,
    /// SND.WND in octets, scaled.
    snd_wnd: u32,
    /// SND.WL1: the sequence number of the segment that SND.WND came with.
    snd_wl1: SeqNum,
    /// SND.WL2: its acknowledgment number.
    snd_wl2: SeqNum,
    /// The greatest SND.WND so far.
    max_snd_wnd: u32,
    /// SND.UP: the position after the last urgent octet, while there is one.
    snd_up: Option<u64>,
    /// The position after the last segment that was less than full (Minshall's variant of Nagle's algorithm).
    small_end: u64,
    /// What the application gave and the peer has not acknowledged; octet `n` of the stream stands at position `n + 1`.
    send: Octets,
    fin: Fin,
    /// What is corked up to this position may go all the same.
    uncorked_to: u64,
    /// The application has said that more follows what it gave last.
    more_follows: bool,
    /// The octets that carry PSH.
    marks: Marks,
    /// The wait for a better window has been long enough: what there is of it is used (RFC 9293 §3.8.6.2.1).
    window_override: bool,
    /// Octets of a burst that was planned and not yet sent, when its segments leave one by one.
    burst_left: u32,

    /// IRS: the peer's initial sequence number.
    irs: SeqNum,
    receive: Reassembly,
    window: ReceiveWindow,
    /// The peer's FIN has arrived in order.
    fin_received: bool,
    /// The stream position of the peer's FIN, as soon as it is known.
    fin_at: Option<u64>,
    /// RCV.UP: the stream position after the last urgent octet, while it is ahead of the reader.
    rcv_up: Option<u64>,
    /// Last.ACK.sent (RFC 7323 §4.3).
    last_ack_sent: SeqNum,
    /// When the handshake was done; `None` before.
    established: Option<Instant>,
    peer_clock: PeerClock,
    /// Where our timestamp clock began.
    timestamp_offset: u32,

    flight: Flight,
    round_trip: RoundTrip,
    recovery: Recovery,
    cwnd: Window,
    usage: Usage,
    congestion: Box<dyn CongestionControl>,
    pacer: Pacer,
    acks: Acks,
    ecn: EcnState,
    timers: Timers,
    /// Time-outs in a row, for the next time-out's length.
    backoff: u8,
    /// Time-outs in a row without progress, for giving up.
    retries: u8,
    /// Probes in a row that were not answered.
    probes: u8,
    /// A segment to be sent besides the stream: SYN, or a probe.
    due: Option<Reason>,
    /// The end of the flight is to be probed.
    probe_due: bool,
    /// The first lost segment goes at once, whatever the window says.
    force_resend: bool,
    /// When an acceptable segment last arrived: others may be anybody's.
    last_heard: Instant,
    /// When new data was last sent.
    last_sent: Instant,
    path: Path,

    /// The handshake of Fast Open, while it lasts.
    early: Option<Box<early::Early>>,
    /// Data went with the SYN, and was taken.
    syn_data: bool,

    /// How it ended; `None` while it lives.
    closed: Option<CloseReason>,
    /// What the network has reported and nobody has asked for yet.
    soft_error: Option<DeliveryError>,
    /// The application opened it, or has accepted it.
    held: bool,
    /// Nobody holds the socket any more.
    orphan: bool,
    /// A writer waits for room.
    write_blocked: bool,
}

impl Connection {
    /// Its ends.
    pub(crate) fn ends(&self) -> Ends {
        self.ends
    }

    /// Its state.
    pub(crate) fn state(&self) -> TcpState {
        self.state.get()
    }

    /// Who opened it.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// How it ended; `None` while it lives.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Whether nobody holds its socket any more.
    pub(crate) fn is_orphan(&self) -> bool {
        self.orphan
    }

    /// What it begins with, and was told since.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// When it wants to be woken, and for which timer.
    pub(crate) fn deadline(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// Whether nothing is under way: no octet waits for its acknowledgment, no close for the other side's.
    pub(crate) fn is_quiet(&self) -> bool {
        match self.state() {
            TcpState::Closed | TcpState::Listen | TcpState::TimeWait => true,
            TcpState::Established | TcpState::CloseWait => {
                self.send.is_empty() && self.flight.is_empty() && !self.acks.is_due()
            }
            TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::Closing
            | TcpState::LastAck => false,
        }
    }

    /// How much of what was sent is acknowledged: SND.UNA as a position.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.snd_una
    }

    /// RCV.NXT: the next sequence number expected.
    pub(crate) fn rcv_nxt(&self) -> SeqNum {
        // The stream's 64 bits wrap to the 32 of sequence numbers as they should.
        self.irs + 1 + self.receive.next() as u32 + u32::from(self.fin_received)
    }

    /// The sequence number at a position of the sending side.
    fn seq(&self, position: u64) -> SeqNum {
        self.iss + position as u32
    }

    /// The position of an acknowledgment number: the one nearest to SND.UNA. Negative when it lies before the SYN.
    fn position_of(&self, ack: SeqNum) -> i64 {
        let distance = ack.offset_from(self.seq(self.snd_una)) as i32;
        self.snd_una as i64 + i64::from(distance)
    }

    /// The position of a sequence number on the peer's stream, the one nearest to RCV.NXT.
    fn stream_position_of(&self, seq: SeqNum) -> i64 {
        let next = self.irs + 1 + self.receive.next() as u32;
        self.receive.next() as i64 + i64::from(seq.offset_from(next) as i32)
    }

    /// RCV.WND: octets that the peer may send.
    fn rcv_wnd(&self) -> u32 {
        self.window.size(self.receive.next())
    }

    /// The position after the last octet that the application gave.
    fn data_end(&self) -> u64 {
        self.send.end() + 1
    }

    /// Octets of data in the longest segment with these many octets of options (RFC 9293 §3.7.1, MUST-16).
    fn room_beside(&self, options: u16) -> u32 {
        // Less than this and headers outweigh the data; a peer that announces it means harm (as Linux's tcp_min_snd_mss).
        const LEAST: u16 = 48;
        let mss = self.terms.peer_mss.min(self.path.room()).min(self.config.max_segment.unwrap_or(u16::MAX)).max(LEAST);
        u32::from(mss.saturating_sub(options).max(8))
    }

    /// Octets of data in the longest segment that carries no more options than every segment.
    fn snd_mss(&self) -> u32 {
        self.room_beside(if self.terms.agreed.timestamps { options::TIMESTAMPS_LEN } else { 0 })
    }

    /// TSval: our clock in milliseconds (RFC 7323 §4.1).
    fn timestamp(&self, now: Instant) -> u32 {
        self.timestamp_offset.wrapping_add((now.as_nanos() / 1_000_000) as u32)
    }

    /// Changes the state, if the table says that the cause does.
    fn on(&mut self, cx: &mut Context<'_>, cause: Cause) {
        if let Some((from, to)) = self.state.on(cause) {
            let Ends { local, remote } = self.ends;
            cx.tell(Event::State { socket: cx.socket, local, remote, from, to });
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>, timer: Timer, due: Instant) {
        if self.timers.set(timer, due) {
            cx.tell(Event::TimerSet { socket: cx.socket, timer, due });
        }
    }

    fn disarm(&mut self, cx: &mut Context<'_>, timer: Timer) {
        if self.timers.stop(timer) {
            cx.tell(Event::TimerStopped { socket: cx.socket, timer });
        }
    }

    fn set_cwnd(&mut self, cx: &mut Context<'_>, cwnd: Window, cause: CwndCause) {
        if self.cwnd != cwnd {
            self.cwnd = cwnd;
            self.tell_cwnd(cx, cause);
        }
    }

    fn tell_cwnd(&self, cx: &mut Context<'_>, cause: CwndCause) {
        let octets = |segments: u32| match segments {
            u32::MAX => u32::MAX,
            segments => segments.saturating_mul(self.snd_mss()),
        };
        let (cwnd, ssthresh) = (octets(self.cwnd.cwnd), octets(self.cwnd.ssthresh));
        cx.tell(Event::CongestionWindow { socket: cx.socket, cwnd, ssthresh, cause });
    }

    /// The connection is over. What the peer sent and nobody has read stays readable, however it ended (as with Linux; RFC
    /// 9293 §3.10.7.4 would flush it on a reset).
    fn end(&mut self, cx: &mut Context<'_>, reason: CloseReason) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        // A listener's connection that never opened goes as it came: nobody has heard of it (RFC 9293 §3.10.7.4, MUST-11).
        let unheard_of =
            self.state() == TcpState::SynReceived && self.origin != Origin::Active && !self.is_open_early();
        let cause = match (self.state(), reason) {
            (TcpState::TimeWait, CloseReason::Finished) => Cause::TimeWaitOver,
            (TcpState::LastAck, CloseReason::Finished) => Cause::FinAcknowledged,
            _ => Cause::End,
        };
        self.on(cx, cause);
        self.timers.stop_all();
        self.send = Octets::default();
        self.flight = Flight::default();
        self.due = None;
        if reason == CloseReason::Aborted {
            self.receive.clear();
        }
        if !unheard_of {
            cx.notify(SocketEvent::Closed(cx.socket, reason));
        }
    }

    fn drop_segment(&self, cx: &mut Context<'_>, reason: DropReason) {
        cx.tell(Event::PacketDropped { packet: cx.packet, reason });
    }

    /// The network has reported something about a segment of ours that held `seq` (RFC 9293 §3.9.2.2).
    pub(crate) fn undelivered(&mut self, cx: &mut Context<'_>, seq: SeqNum, error: DeliveryError) {
        let position = self.position_of(seq);
        if position < self.snd_una as i64 || position >= self.snd_nxt.max(1) as i64 {
            // Not about anything in flight: nobody on the path could have seen it (RFC 5927 §4).
            return self.drop_segment(cx, DropReason::ForgedIcmp);
        }
        if let DeliveryError::TooBig { mtu } = error {
            return self.packet_was_too_long(cx, position as u64, mtu);
        }
        if self.state() == TcpState::SynSent {
            // Hard or soft, Linux and BSD give up an opening connection: there is nothing to lose yet (RFC 5461 §4.1).
            return self.end(cx, CloseReason::Unreachable(error));
        }
        if self.state() == TcpState::SynReceived && !self.held {
            return self.end(cx, CloseReason::Unreachable(error));
        }
        // Once data flows every report is soft: attackers can send them, too (RFC 5927 §5.2, MUST-56).
        self.soft_error = Some(error);
    }

    /// Takes what the network has reported.
    pub(crate) fn take_error(&mut self) -> Option<DeliveryError> {
        self.soft_error.take()
    }
}
