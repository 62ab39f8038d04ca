//! A connection is born: what it is made from, and what its variables begin with (RFC 9293 §3.3.1).

use std::sync::Arc;

use super::{Connection, EcnState, Fin, Origin, PeerClock, Terms};
use crate::journal::Agreed;
use crate::packet::SeqNum;
use crate::tcp::acks::Acks;
use crate::tcp::config::Config;
use crate::tcp::congestion::{self, Usage};
use crate::tcp::flight::Flight;
use crate::tcp::octets::Octets;
use crate::tcp::pacing::Pacer;
use crate::tcp::path::Path;
use crate::tcp::push::Marks;
use crate::tcp::reassembly::Reassembly;
use crate::tcp::recovery::Recovery;
use crate::tcp::rtt::RoundTrip;
use crate::tcp::segment::Ends;
use crate::tcp::state::State;
use crate::tcp::timers::Timers;
use crate::tcp::window::ReceiveWindow;
use crate::time::Instant;

/// What a connection is made from.
pub(crate) struct Birth {
    /// Its ends.
    pub(crate) ends: Ends,
    /// Who opens it.
    pub(crate) origin: Origin,
    /// What it begins with.
    pub(crate) config: Arc<Config>,
    /// ISS.
    pub(crate) iss: SeqNum,
    /// Where its timestamp clock begins.
    pub(crate) timestamp_offset: u32,
    /// Octets of the longest network packet on its link.
    pub(crate) mtu: usize,
    /// The time.
    pub(crate) now: Instant,
}

impl Connection {
    pub(crate) fn new(birth: Birth) -> Connection {
        let Birth { ends, origin, config, iss, timestamp_offset, mtu, now } = birth;
        let own_mss = own_mss(&config, mtu, &ends);
        let path = Path::new(mtu, ends.remote.is_ipv6(), &config.path, now);
        let (congestion, cwnd) = congestion::begin(&config, u64::from(iss.0) << 32 | u64::from(timestamp_offset));
        let default_mss = if ends.remote.is_ipv4() { 536 } else { 1220 };
        let mut flight = Flight::default();
        if congestion.measures() {
            flight.measure_rates();
        }
        Connection {
            ends,
            state: if origin == Origin::Active { State::CLOSED } else { State::LISTEN },
            origin,
            terms: Terms { agreed: Agreed::default(), peer_mss: default_mss, own_mss, snd_scale: 0 },
            iss,
            snd_una: 0,
            snd_nxt: 0,
            snd_wnd: 0,
            snd_wl1: SeqNum(0),
            snd_wl2: SeqNum(0),
            max_snd_wnd: 0,
            snd_up: None,
            small_end: 0,
            send: Octets::default(),
            fin: Fin::Open,
            uncorked_to: 0,
            more_follows: false,
            marks: Marks::default(),
            window_override: false,
            burst_left: 0,
            irs: SeqNum(0),
            receive: Reassembly::default(),
            window: ReceiveWindow::new(config.receive_buffer),
            fin_received: false,
            fin_at: None,
            rcv_up: None,
            last_ack_sent: SeqNum(0),
            established: None,
            peer_clock: PeerClock::default(),
            timestamp_offset,
            flight,
            round_trip: RoundTrip::new(config.rto_initial, config.rto_min, config.rto_max),
            recovery: Recovery::new(),
            cwnd,
            usage: Usage::default(),
            congestion,
            pacer: Pacer::default(),
            acks: Acks::new(own_mss),
            ecn: EcnState::default(),
            timers: Timers::default(),
            backoff: 0,
            retries: 0,
            probes: 0,
            due: None,
            probe_due: false,
            force_resend: false,
            last_heard: now,
            last_sent: now,
            path,
            early: None,
            syn_data: false,
            closed: None,
            soft_error: None,
            held: origin == Origin::Active,
            orphan: false,
            write_blocked: false,
            config,
        }
    }
}

/// What we announce: the longest segment that we take (RFC 9293 MUST-67).
pub(crate) fn own_mss(config: &Config, mtu: usize, ends: &Ends) -> u16 {
    let link_room = room_on_link(mtu, ends);
    config.max_segment.map_or(link_room, |most| most.min(link_room))
}

/// Octets that a packet of `mtu` octets leaves for a segment's data and options.
fn room_on_link(mtu: usize, ends: &Ends) -> u16 {
    let headers = if ends.remote.is_ipv4() { 40 } else { 60 };
    u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX).max(1)
}
