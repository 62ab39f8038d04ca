//! Tail loss probes (RFC 8985 §7): when the last segments of a flight are lost nothing comes after them that could show it.
//! One segment more, long before the retransmission timer, brings an answer, and the rest is RACK's.

use std::time::Duration;

/// How long a peer may hold back the acknowledgment of a lone segment (RFC 8985 §7.2, TLP.max_ack_delay).
const MAX_ACK_DELAY: Duration = Duration::from_millis(200);

/// No probe sooner: hosts that are so near take longer to answer than packets to travel. Linux adds its clock's granularity of
/// two ticks to every PTO; our clock has none to speak of, and RFC 8985 none either.
const LEAST: Duration = Duration::from_millis(2);

/// After how long without an answer a probe is sent (RFC 8985 §7.2, TLP_calc_PTO): PTO. `srtt` is the smoothed round-trip
/// time, `in_flight` counts segments.
pub(crate) fn probe_time_out(srtt: Option<Duration>, in_flight: u32) -> Duration {
    match srtt {
        None => Duration::from_secs(1),
        Some(srtt) if in_flight == 1 => srtt * 2 + MAX_ACK_DELAY,
        Some(srtt) => (srtt * 2).max(LEAST),
    }
}

/// The probe that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TailProbe {
    /// TLP.end_seq: SND.NXT when it left; 0 when none has.
    end: u64,
    /// TLP.is_retrans: it carried octets that had been sent before.
    again: bool,
}

/// What an acknowledgment says of a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// SND.UNA after it.
    pub(super) snd_una: u64,
    /// It is a duplicate that reports nothing by SACK.
    pub(super) is_bare_duplicate: bool,
    /// The position after the octets that it says came twice.
    pub(super) twice: Option<u64>,
}

impl TailProbe {
    /// No probe is under way.
    pub(super) const NONE: TailProbe = TailProbe { end: 0, again: false };

    /// Whether one is under way: a second must not be sent (§7.3).
    pub(super) fn is_out(self) -> bool {
        self.end > 0
    }

    /// A probe left; `again` when it carried octets that had been sent before.
    pub(super) fn sent(&mut self, snd_nxt: u64, again: bool) {
        *self = TailProbe { end: snd_nxt, again };
    }

    /// It is of no interest any more: another recovery has begun.
    pub(super) fn forget(&mut self) {
        *self = TailProbe::NONE;
    }

    /// Takes an acknowledgment (§7.4.2, TLP_process_ack). Returns whether it shows that the probe has mended a loss, which
    /// nothing else will tell.
    pub(super) fn answered(&mut self, answer: Answer) -> bool {
        let end = self.end;
        if !self.is_out() || answer.snd_una < end {
            return false;
        }
        let both_arrived = answer.twice == Some(end) || (answer.is_bare_duplicate && answer.snd_una == end);
        if !self.again || both_arrived {
            self.forget();
            return false;
        }
        if answer.snd_una > end {
            self.forget();
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(snd_una: u64) -> Answer {
        Answer { snd_una, is_bare_duplicate: false, twice: None }
    }

    #[test]
    fn a_lone_segment_waits_for_the_delayed_acknowledgment() {
        let ms = Duration::from_millis;
        assert_eq!(probe_time_out(Some(ms(20)), 5), ms(40));
        assert_eq!(probe_time_out(Some(Duration::from_micros(30)), 5), ms(2));
        assert_eq!(probe_time_out(Some(ms(20)), 1), ms(240));
        assert_eq!(probe_time_out(None, 5), ms(1000));
    }

    #[test]
    fn a_probe_with_new_data_proves_nothing() {
        let mut probe = TailProbe::NONE;
        probe.sent(5000, false);
        assert!(probe.is_out() && !probe.answered(ack(4000)) && probe.is_out());
        assert!(!probe.answered(ack(5000)) && !probe.is_out());
    }

    #[test]
    fn a_probe_that_alone_arrived_has_mended_a_loss() {
        let mut probe = TailProbe::NONE;
        probe.sent(5000, true);
        assert!(
            !probe.answered(ack(5000)) && probe.is_out(),
            "the acknowledgment of the first copy would look the same"
        );
        assert!(probe.answered(ack(6000)) && !probe.is_out());
    }

    #[test]
    fn both_copies_arrived_when_the_answer_says_so() {
        for answer in [Answer { twice: Some(5000), ..ack(5000) }, Answer { is_bare_duplicate: true, ..ack(5000) }] {
            let mut probe = TailProbe::NONE;
            probe.sent(5000, true);
            assert!(!probe.answered(answer) && !probe.is_out());
        }
    }
}
