//! Whether the congestion window is what holds a connection back (RFC 7661, as Linux judges it).

/// How much of the window was used lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// The window held back what could have been sent.
    limited: bool,
    /// The most segments in flight.
    most_in_flight: u32,
    /// Until this position is acknowledged, `limited` and `most_in_flight` stand.
    until: u64,
}

impl Usage {
    /// Takes note after sending: `limited` when the window would not let more out.
    pub(crate) fn sent(&mut self, limited: bool, in_flight: u32, snd_una: u64, snd_nxt: u64) {
        let a_flight_has_passed = snd_una >= self.until;
        if a_flight_has_passed || limited || (!self.limited && in_flight > self.most_in_flight) {
            *self = Usage { limited, most_in_flight: in_flight, until: snd_nxt };
        }
    }

    /// Whether the window held back what could have been sent, in the last flight.
    pub(crate) fn was_limited(&self) -> bool {
        self.limited
    }

    /// Whether the window may grow: in slow start while at least half of it is used, later only when it held back.
    pub(crate) fn may_grow(&self, cwnd: u32, in_slow_start: bool) -> bool {
        if in_slow_start { cwnd < self.most_in_flight.saturating_mul(2) } else { self.limited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_sends_little_does_not_make_the_window_grow() {
        let mut usage = Usage::default();
        usage.sent(false, 4, 0, 4000);
        assert!(!usage.may_grow(10, true) && !usage.may_grow(10, false));
        usage.sent(false, 6, 0, 6000);
        assert!(usage.may_grow(10, true) && !usage.may_grow(10, false));
        usage.sent(true, 10, 0, 10_000);
        assert!(usage.may_grow(10, true) && usage.may_grow(10, false));
    }

    #[test]
    fn a_limit_is_remembered_for_one_flight() {
        let mut usage = Usage::default();
        usage.sent(true, 10, 0, 10_000);
        usage.sent(false, 9, 1000, 10_000);
        assert!(usage.may_grow(10, false));
        usage.sent(false, 1, 10_000, 11_000);
        assert!(!usage.may_grow(10, false));
    }
}
