//! What a connection knows at one moment, as a copy for whoever looks.

use super::Connection;
use crate::journal::{Flight, Snapshot};

impl Connection {
    /// Everything that it knows.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let in_octets = |segments: u32| match segments {
            u32::MAX => u32::MAX,
            segments => segments.saturating_mul(self.snd_mss()),
        };
        Snapshot {
            state: self.state(),
            local: Some(self.ends.local),
            remote: Some(self.ends.remote),
            send_queue: self.send.len(),
            receive_queue: self.receive.unread(),
            snd_una: Some(self.seq(self.snd_una)),
            snd_nxt: Some(self.seq(self.snd_nxt)),
            snd_wnd: Some(self.snd_wnd),
            rcv_nxt: Some(self.rcv_nxt()),
            rcv_wnd: Some(self.rcv_wnd()),
            cwnd: Some(in_octets(self.cwnd.cwnd)),
            ssthresh: Some(in_octets(self.cwnd.ssthresh)),
            srtt: self.round_trip.srtt(),
            rttvar: self.round_trip.rttvar(),
            rto: Some(self.round_trip.rto(self.backoff).duration()),
            min_rtt: self.round_trip.least(),
            path_mtu: Some(self.path.mtu()),
            snd_mss: u16::try_from(self.snd_mss()).ok(),
            rcv_mss: u16::try_from(self.acks.rcv_mss()).ok(),
            last_data_received: self.acks.last_arrival().or(self.established),
            advertised_mss: Some(self.terms.own_mss),
            agreed: Some(self.terms.agreed),
            flight: Some(Flight {
                unacked: self.flight.unacked(),
                sacked: self.flight.sacked() + self.recovery.unreported(),
                lost: self.flight.lost(),
                retransmitted: self.flight.resent(),
                total_retransmissions: self.flight.total_retransmissions(),
                // SYN and data were one packet, and our peer has acknowledged them as one.
                delivered: self.flight.delivered().saturating_sub(self.syn_data_is_counted_twice().into()),
                reordering: self.recovery.reordering(),
            }),
            recovery: Some(self.recovery.name()),
            backoff: Some(self.backoff),
            probes: Some(self.probes),
            syn_data: Some(self.syn_data),
            open_early: self.is_open_early(),
            urgent: self.rcv_up.map(|end| end.saturating_sub(self.receive.first_unread()) as u32),
        }
    }
}
