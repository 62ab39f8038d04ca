//! Linux's `struct tcp_info`, told from what a stack says of a connection.
//!
//! What a stack does not tell is `None`: absent from [`TcpInfo::lookup`], 0 in [`TcpInfo::to_bytes`], where there is no
//! way to say so.

use crate::journal::{Recovery, Snapshot, TcpState};
use crate::packet::SeqNum;
use crate::time::Instant;

/// Octets of the structure, as Linux 6.18 has it.
const LENGTH: usize = 280;
/// What Linux writes for a threshold that was never set.
const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

macro_rules! layout {
    ($($offset:literal $width:literal $field:ident $meaning:literal;)*) => {
        /// What `getsockopt(TCP_INFO)` tells, in Linux's units: segments, microseconds, octets.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct TcpInfo {
            $(#[doc = $meaning] pub $field: Option<u64>,)*
        }

        impl TcpInfo {
            /// A field by the name that scripts use, with or without `tcpi_`; `None` when the stack does not tell.
            pub fn lookup(&self, name: &str) -> Option<u64> {
                match name.strip_prefix("tcpi_").unwrap_or(name) {
                    $(stringify!($field) => self.$field,)*
                    "snd_wscale" => self.wscales.map(|both| both & 15),
                    "rcv_wscale" => self.wscales.map(|both| both >> 4),
                    _ => None,
                }
            }

            /// The names of what the stack tells, without `tcpi_`.
            pub fn told(&self) -> Vec<&'static str> {
                let mut told = Vec::new();
                $(if self.$field.is_some() { told.push(stringify!($field)); })*
                if self.wscales.is_some() {
                    told.extend(["snd_wscale", "rcv_wscale"]);
                }
                told
            }

            /// The structure as it lies in memory, in the machine's byte order.
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut bytes = vec![0; LENGTH];
                $(put(&mut bytes, $offset, $width, self.$field.unwrap_or(0));)*
                bytes
            }
        }
    };
}

layout! {
    0 1 state "State, 1 (ESTABLISHED) to 11 (CLOSING) in Linux's order.";
    1 1 ca_state "Loss recovery: 0 open, 1 disorder, 2 window reduced, 3 recovery, 4 loss.";
    2 1 retransmits "Time-outs in a row.";
    3 1 probes "Zero-window or keep-alive probes in a row without an answer.";
    4 1 backoff "How often the time-out was doubled.";
    5 1 options "Agreed: 1 timestamps, 2 SACK, 4 window scale, 8 ECN, 32 data taken with the SYN.";
    6 1 wscales "Shifts: the peer's in the lower four bits, ours in the upper.";
    8 4 rto "Retransmission time-out in microseconds.";
    12 4 ato "Delayed-acknowledgment time-out in microseconds.";
    16 4 snd_mss "Octets of data in the longest segment sent.";
    20 4 rcv_mss "Octets of data in the segments that come in, estimated.";
    24 4 unacked "Segments in flight; of a listener: connections that wait.";
    28 4 sacked "Segments selectively acknowledged; of a listener: the backlog.";
    32 4 lost "Segments thought lost.";
    36 4 retrans "Segments sent again and still under way.";
    40 4 fackets "Not used any more.";
    52 4 last_data_recv "Milliseconds since data arrived last, or since the handshake.";
    60 4 pmtu "Path MTU in octets.";
    64 4 rcv_ssthresh "How far the receive window may grow, in octets.";
    68 4 rtt "Smoothed round-trip time in microseconds.";
    72 4 rttvar "Its variation in microseconds.";
    76 4 snd_ssthresh "Slow-start threshold in segments.";
    80 4 snd_cwnd "Congestion window in segments.";
    84 4 advmss "The maximum segment size announced.";
    88 4 reordering "How far out of order segments are expected, in segments.";
    100 4 total_retrans "Retransmissions in the connection's life.";
    144 4 notsent_bytes "Octets queued and never sent.";
    148 4 min_rtt "The least round-trip time in microseconds.";
    192 4 delivered "Segments delivered in the connection's life.";
    228 4 snd_wnd "The peer's window in octets.";
    232 4 rcv_wnd "Our window in octets.";
}

fn put(bytes: &mut [u8], offset: usize, width: usize, value: u64) {
    let (Ok(word), Ok(octet)) = (u32::try_from(value), u8::try_from(value & 0xff)) else { return };
    let Some(field) = bytes.get_mut(offset..offset + width) else { return };
    match width {
        1 => field.copy_from_slice(&[octet]),
        _ => field.copy_from_slice(&word.to_ne_bytes()),
    }
}

impl TcpInfo {
    /// Of a socket that is no connection (yet, or any more), or of a listener.
    pub fn of_state(state: TcpState) -> TcpInfo {
        TcpInfo { state: Some(number(state)), ca_state: Some(0), ..TcpInfo::default() }
    }

    /// Of a connection, at `now`.
    pub fn of(snapshot: &Snapshot, now: Instant) -> TcpInfo {
        let flight = snapshot.flight;
        let mss = snapshot.snd_mss.filter(|mss| *mss > 0).map(u64::from);
        let segments = |octets: u64| mss.map(|mss| octets / mss);
        let micros = |span: Option<std::time::Duration>| span.and_then(|span| u64::try_from(span.as_micros()).ok());
        TcpInfo {
            state: Some(number(snapshot.state)),
            ca_state: snapshot.recovery.map(|recovery| match recovery {
                Recovery::Open => 0,
                Recovery::Disorder => 1,
                Recovery::WindowReduced => 2,
                Recovery::FastRecovery => 3,
                Recovery::Loss => 4,
            }),
            retransmits: snapshot.backoff.map(u64::from),
            probes: snapshot.probes.map(u64::from),
            backoff: snapshot.backoff.map(u64::from),
            options: snapshot.agreed.map(|agreed| {
                u64::from(agreed.timestamps)
                    | u64::from(agreed.sack) << 1
                    | u64::from(agreed.window_scale.is_some()) << 2
                    | u64::from(agreed.ecn) << 3
                    | u64::from(snapshot.syn_data == Some(true)) << 5
            }),
            wscales: snapshot.agreed.map(|agreed| {
                let (ours, peers) = agreed.window_scale.unwrap_or_default();
                u64::from(peers & 15) | u64::from(ours & 15) << 4
            }),
            rto: micros(snapshot.rto),
            snd_mss: mss,
            pmtu: snapshot.path_mtu.map(u64::from),
            rcv_mss: snapshot.rcv_mss.map(u64::from),
            last_data_recv: snapshot.last_data_received.and_then(|at| u64::try_from((now - at).as_millis()).ok()),
            unacked: flight.map(|flight| flight.unacked.into()),
            sacked: flight.map(|flight| flight.sacked.into()),
            lost: flight.map(|flight| flight.lost.into()),
            retrans: flight.map(|flight| flight.retransmitted.into()),
            rtt: micros(snapshot.srtt),
            rttvar: micros(snapshot.rttvar),
            snd_ssthresh: snapshot.ssthresh.and_then(|octets| match octets {
                INFINITE_SSTHRESH.. => Some(INFINITE_SSTHRESH.into()),
                _ => segments(octets.into()),
            }),
            snd_cwnd: snapshot.cwnd.and_then(|octets| segments(octets.into())),
            advmss: snapshot.advertised_mss.map(u64::from),
            reordering: flight.map(|flight| flight.reordering.into()),
            total_retrans: flight.map(|flight| flight.total_retransmissions.into()),
            notsent_bytes: unsent(snapshot),
            min_rtt: micros(snapshot.min_rtt),
            delivered: flight.map(|flight| flight.delivered.into()),
            snd_wnd: snapshot.snd_wnd.map(u64::from),
            rcv_wnd: snapshot.rcv_wnd.map(u64::from),
            ..TcpInfo::default()
        }
    }
}

/// Octets in the send queue that were never sent; `None` when the stack does not tell its sequence numbers.
pub(super) fn unsent(snapshot: &Snapshot) -> Option<u64> {
    let (una, nxt) = (snapshot.snd_una?, snapshot.snd_nxt?);
    let SeqNum(sent) = SeqNum(nxt.0.wrapping_sub(una.0));
    Some((snapshot.send_queue as u64).saturating_sub(sent.into()))
}

/// Linux's number of a state.
fn number(state: TcpState) -> u64 {
    match state {
        TcpState::Established => 1,
        TcpState::SynSent => 2,
        TcpState::SynReceived => 3,
        TcpState::FinWait1 => 4,
        TcpState::FinWait2 => 5,
        TcpState::TimeWait => 6,
        TcpState::Closed => 7,
        TcpState::CloseWait => 8,
        TcpState::LastAck => 9,
        TcpState::Listen => 10,
        TcpState::Closing => 11,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::{Agreed, Flight};

    fn snapshot() -> Snapshot {
        Snapshot {
            state: TcpState::Established,
            snd_mss: Some(1_000),
            cwnd: Some(10_999),
            ssthresh: Some(7_000),
            srtt: Some(Duration::from_millis(100)),
            recovery: Some(Recovery::FastRecovery),
            flight: Some(Flight { unacked: 9, sacked: 3, lost: 1, ..Flight::default() }),
            agreed: Some(Agreed { sack: true, window_scale: Some((8, 6)), ..Agreed::default() }),
            ..Snapshot::default()
        }
    }

    #[test]
    fn windows_are_told_in_segments_and_times_in_microseconds() {
        let info = TcpInfo::of(&snapshot(), Instant::ZERO);
        let expected = [
            ("tcpi_state", 1),
            ("tcpi_snd_cwnd", 10),
            ("tcpi_snd_ssthresh", 7),
            ("tcpi_rtt", 100_000),
            ("tcpi_ca_state", 3),
            ("tcpi_unacked", 9),
            ("tcpi_options", 6),
            ("tcpi_snd_wscale", 6),
            ("tcpi_rcv_wscale", 8),
        ];
        for (name, value) in expected {
            assert_eq!(info.lookup(name), Some(value), "{name}");
        }
    }

    #[test]
    fn a_threshold_that_was_never_set_is_infinite() {
        let info = TcpInfo::of(&Snapshot { ssthresh: Some(u32::MAX), ..snapshot() }, Instant::ZERO);
        assert_eq!(info.snd_ssthresh, Some(0x7fff_ffff));
    }

    #[test]
    fn what_the_stack_does_not_tell_is_missing() {
        let info = TcpInfo::of(&Snapshot::default(), Instant::ZERO);
        assert_eq!((info.lookup("tcpi_snd_cwnd"), info.lookup("tcpi_nonsense")), (None, None));
    }

    #[test]
    fn the_names_of_what_is_told_are_those_that_can_be_looked_up() {
        let info = TcpInfo::of(&snapshot(), Instant::ZERO);
        let told = info.told();
        assert!(told.contains(&"snd_cwnd") && told.contains(&"rcv_wscale") && !told.contains(&"rcv_mss"), "{told:?}");
        assert!(told.iter().all(|name| info.lookup(name).is_some()));
    }

    #[test]
    fn silence_is_told_in_milliseconds() {
        let at = Instant::ZERO + Duration::from_millis(20);
        let heard = Snapshot { last_data_received: Some(at), ..snapshot() };
        assert_eq!(TcpInfo::of(&heard, at + Duration::from_millis(1_500)).last_data_recv, Some(1_500));
    }

    #[test]
    fn the_octets_lie_where_linux_has_them() {
        let bytes = TcpInfo::of(&snapshot(), Instant::ZERO).to_bytes();
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four octets"));
        assert_eq!((bytes.len(), bytes[0], bytes[1], bytes[5], bytes[6]), (280, 1, 3, 6, 0x86));
        assert_eq!((word(24), word(68), word(76), word(80)), (9, 100_000, 7, 10));
    }
}
