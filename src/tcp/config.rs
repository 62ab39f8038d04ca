//! What a connection begins with.

use std::fmt;
use std::time::Duration;

use super::congestion::CongestionControl;
use super::fast_open::FastOpen;
use super::window::ReceiveWindow;
use crate::transport::{CongestionChoice, PathReports};

/// What a connection begins with. A stack that cannot do one of these does what it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Octets of the send buffer.
    pub send_buffer: usize,
    /// Octets of the receive buffer, and with it the largest window.
    pub receive_buffer: usize,
    /// Nagle's algorithm off from the start (RFC 9293 MUST-17).
    pub no_delay: bool,
    /// Only full segments are sent until this is taken off, or for 200 ms at most (Linux's `TCP_CORK`).
    pub cork: bool,
    /// How long an acknowledgment may wait for data to ride on; `None` sends each at once (RFC 9293 MUST-40: below 0.5 s).
    pub delayed_ack: Option<Duration>,
    /// Whether the first segments of a connection are acknowledged at once, whatever `delayed_ack` says, until it turns out
    /// to be a conversation: the peer's slow start is not slowed down then (as Linux does). Without, every second segment
    /// is acknowledged at once, however short (as BSD does).
    pub quick_acks: bool,
    /// Give up when nothing is acknowledged for so long; `None` leaves it to `retries` (RFC 5482, RFC 9293 MUST-21).
    pub user_timeout: Option<Duration>,
    /// Probe a connection that has been idle for so long; `None` never (RFC 9293 MUST-25, MUST-28: two hours by custom).
    pub keep_alive: Option<Duration>,
    /// Time between keep-alive probes that are not answered.
    pub keep_alive_interval: Duration,
    /// Keep-alive probes without an answer that end the connection (RFC 9293 MUST-29: more than one).
    pub keep_alive_probes: u8,
    /// Congestion control.
    pub congestion: Congestion,
    /// Whether HyStart++ ends slow start before the queue on the path overflows (RFC 9406); `None` leaves it to the algorithm:
    /// CUBIC does so, Reno does not.
    pub hystart: Option<bool>,
    /// Whether the window scale option is offered and taken (RFC 7323 §2).
    pub window_scaling: bool,
    /// The shift to offer; `None` takes the least that makes `receive_buffer` fit into 16 bits, 14 at most.
    pub window_scale: Option<u8>,
    /// Whether timestamps are offered and taken (RFC 7323 §3).
    pub timestamps: bool,
    /// Whether selective acknowledgment is offered and taken (RFC 2018).
    pub sack: bool,
    /// Whether losses are found by time (RACK, RFC 8985 §6); else by the count of what SACK reports (RFC 6675).
    pub rack: bool,
    /// Whether the end of a flight is probed before the retransmission timer fires (RFC 8985 §7). Only with SACK.
    pub tail_loss_probe: bool,
    /// Whether a time-out is looked through that was not needed (F-RTO, RFC 5682).
    pub f_rto: bool,
    /// Explicit congestion notification (RFC 3168).
    pub ecn: Ecn,
    /// Neither announce nor send longer segments than this; `None` leaves it to the MTU and the peer (Linux's `TCP_MAXSEG`).
    pub max_segment: Option<u16>,
    /// Segments of the initial congestion window (RFC 6928: 10).
    pub initial_window: u32,
    /// Segments that a burst may have at least, however slow the path (Linux's `tcp_min_tso_segs`).
    pub least_burst: u32,
    /// Whether several segments may leave as one super-segment, to be cut at the edge.
    pub super_segments: bool,
    /// Whether slow start begins anew after an idle time of one RTO (RFC 5681 §4.1).
    pub slow_start_after_idle: bool,
    /// The time-out before the first round-trip time is known (RFC 6298 §2.1).
    pub rto_initial: Duration,
    /// The least time-out. RFC 6298 §2.4 says one second; 200 ms as Linux has it.
    pub rto_min: Duration,
    /// The greatest time-out (RFC 6298 §2.5: at least 60 s).
    pub rto_max: Duration,
    /// Times that a SYN is sent again (RFC 9293 MUST-23: three minutes at least, which 7 give with 1 s at first).
    pub syn_retries: u8,
    /// Times that a SYN,ACK is sent again.
    pub syn_ack_retries: u8,
    /// Times that data is sent again before the connection is given up (RFC 9293 §3.8.3, R2).
    pub retries: u8,
    /// Hops that a packet may take, 1 to 255 (RFC 9293 MUST-49).
    pub time_to_live: u8,
    /// The traffic class: DSCP in the upper six bits (RFC 9293 MUST-48); the ECN bits below are ignored.
    pub traffic_class: u8,
    /// How long TIME-WAIT lasts: 2 MSL (RFC 9293 MUST-13); 60 s as Linux has it.
    pub time_wait: Duration,
    /// Whether any reset in the window ends the connection, as before RFC 5961.
    pub trusts_resets: bool,
    /// Whether a SYN in the window ends the connection, as before RFC 5961.
    pub trusts_syns: bool,
    /// Whether a listener drops a SYN that carries FIN, too: no honest client sends one. In a simultaneous open both count.
    pub drops_syn_fin: bool,
    /// Whether TIME-WAIT ignores resets (RFC 1337 §3, fix F1); Linux by default does not.
    pub protect_time_wait: bool,
    /// How long FIN-WAIT-2 waits for the peer's FIN once nobody holds the socket.
    pub fin_wait_2: Duration,
    /// How it finds out how long a packet its path takes.
    pub path: PathDiscovery,
    /// TCP Fast Open: data with the SYN (RFC 7413).
    pub fast_open: FastOpen,
    /// When a listener answers SYNs that it does not remember (RFC 4987 §3.6).
    pub syn_cookies: SynCookies,
    /// Connections in their handshake that a listener remembers at most, whatever its backlog.
    pub half_open: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            send_buffer: 64 * 1024,
            receive_buffer: 64 * 1024,
            no_delay: false,
            cork: false,
            delayed_ack: Some(Duration::from_millis(40)),
            quick_acks: true,
            user_timeout: None,
            keep_alive: None,
            keep_alive_interval: Duration::from_secs(75),
            keep_alive_probes: 9,
            congestion: Congestion::Reno,
            hystart: None,
            window_scaling: true,
            window_scale: None,
            timestamps: true,
            sack: true,
            rack: true,
            tail_loss_probe: true,
            f_rto: true,
            ecn: Ecn::Passive,
            max_segment: None,
            initial_window: 10,
            least_burst: 2,
            super_segments: true,
            slow_start_after_idle: true,
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            syn_retries: 7,
            syn_ack_retries: 5,
            retries: 15,
            time_to_live: 64,
            traffic_class: 0,
            time_wait: Duration::from_secs(60),
            trusts_resets: false,
            trusts_syns: false,
            drops_syn_fin: true,
            protect_time_wait: false,
            fin_wait_2: Duration::from_secs(60),
            path: PathDiscovery::default(),
            fast_open: FastOpen::default(),
            syn_cookies: SynCookies::WhenFull,
            half_open: 1024,
        }
    }
}

/// How a connection finds out how long a packet its path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathDiscovery {
    /// Who is believed (Linux's `IP_MTU_DISCOVER`).
    pub reports: PathReports,
    /// The least MTU that a report over IPv4 is taken at its word for, in octets. A path that is said to be narrower gets
    /// packets of this length that may be cut on their way. RFC 1191 §3 says 68; 552 as Linux's `ip_rt_min_pmtu`.
    pub least_mtu: u16,
    /// Whether a report is believed although longer packets have arrived, as before RFC 5927 §7.2.
    pub trusts_reports: bool,
    /// Whether the connection finds out by itself, too, without reports (RFC 4821; Linux's `tcp_mtu_probing`).
    pub probing: PathProbing,
    /// Octets of data and options of a segment that should pass anywhere (RFC 4821 §7.2; Linux's `tcp_base_mss`).
    pub base_segment: u16,
    /// The same of the shortest segment that is tried (Linux's `tcp_mtu_probe_floor`).
    pub least_segment: u16,
    /// Retransmissions in a row without an answer after which a path is thought to swallow long packets: R1 of RFC 9293
    /// §3.8.3 (Linux's `tcp_retries1`).
    pub black_hole_after: u8,
    /// How long a search's result stands before the search begins anew (Linux's `tcp_probe_interval`).
    pub probe_interval: Duration,
    /// The search ends when it is as narrow as this many octets (Linux's `tcp_probe_threshold`).
    pub probe_threshold: u16,
}

impl Default for PathDiscovery {
    fn default() -> PathDiscovery {
        PathDiscovery {
            reports: PathReports::Heard,
            least_mtu: 552,
            trusts_reports: false,
            probing: PathProbing::InBlackHoles,
            base_segment: 1024,
            least_segment: 48,
            black_hole_after: 3,
            probe_interval: Duration::from_secs(600),
            probe_threshold: 8,
        }
    }
}

/// When a connection probes its path with longer segments (RFC 4821).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathProbing {
    /// Never.
    Off,
    /// Once time-outs hint at a path that swallows long packets.
    #[default]
    InBlackHoles,
    /// From the beginning.
    Always,
}

impl Config {
    /// The shift to offer.
    pub(super) fn offered_scale(&self) -> u8 {
        self.window_scale.unwrap_or_else(|| ReceiveWindow::scale_for(self.receive_buffer)).min(14)
    }
}

/// When SYN cookies are sent (RFC 4987 §3.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SynCookies {
    /// Never: SYNs for which there is no room are dropped.
    Never,
    /// When there is no room for one more connection in its handshake.
    #[default]
    WhenFull,
    /// In answer to every SYN.
    Always,
}

/// The congestion controls that a lab can ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Congestion {
    /// None: only the peer's window bounds the flight.
    None,
    /// Reno (RFC 5681).
    #[default]
    Reno,
    /// CUBIC (RFC 9438).
    Cubic,
    /// BBR version 3 (draft-ietf-ccwg-bbr).
    Bbr,
    /// One of the user's own; lab files cannot name it.
    #[serde(skip)]
    Other(Algorithm),
}

impl fmt::Display for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Congestion::None => "no congestion control",
            Congestion::Reno => "Reno",
            Congestion::Cubic => "CUBIC",
            Congestion::Bbr => "BBR",
            Congestion::Other(own) => own.name,
        })
    }
}

impl From<CongestionChoice> for Congestion {
    fn from(choice: CongestionChoice) -> Congestion {
        match choice {
            CongestionChoice::None => Congestion::None,
            CongestionChoice::Reno => Congestion::Reno,
            CongestionChoice::Cubic => Congestion::Cubic,
            CongestionChoice::Bbr => Congestion::Bbr,
        }
    }
}

/// A congestion control that somebody has written for themselves. Two are the same when their names are.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    /// Its name, for reports.
    pub name: &'static str,
    /// Makes one for each connection.
    pub make: fn() -> Box<dyn CongestionControl>,
}

impl PartialEq for Algorithm {
    fn eq(&self, other: &Algorithm) -> bool {
        self.name == other.name
    }
}

impl Eq for Algorithm {}

/// When explicit congestion notification is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ecn {
    /// Never.
    Off,
    /// When the peer asks for it.
    #[default]
    Passive,
    /// Asked for in every SYN.
    Active,
}
