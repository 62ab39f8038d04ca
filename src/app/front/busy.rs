//! How long a server has been busy: all the time in which at least one request is with it, from the request to its answer.
//!
//! That is what can be seen from outside, too: on the wire it is the time in which a request has come and not been answered.
//! For a server with one worker it is the time in which that one works. No clock: moments are spans since the server's start.

use std::time::Duration;

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Busy {
    /// Requests that are with it.
    under_way: u32,
    /// From when on there is one.
    since: Duration,
    /// Time that is over.
    sum: Duration,
}

impl Busy {
    /// A request has come.
    pub(super) fn begin(&mut self, now: Duration) {
        if self.under_way == 0 {
            self.since = now;
        }
        self.under_way = self.under_way.saturating_add(1);
    }

    /// One has been answered, or is not to be answered any more.
    pub(super) fn end(&mut self, now: Duration) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.under_way == 0 {
            self.sum += now.saturating_sub(self.since);
        }
    }

    /// How long it has been busy until `now`.
    pub(super) fn so_far(&self, now: Duration) -> Duration {
        let present = if self.under_way > 0 { now.saturating_sub(self.since) } else { Duration::ZERO };
        self.sum + present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn requests_side_by_side_are_one_time() {
        let mut busy = Busy::default();
        busy.begin(100 * MS);
        busy.begin(150 * MS);
        assert_eq!(busy.so_far(170 * MS), 70 * MS, "the present counts");
        busy.end(200 * MS);
        busy.end(300 * MS);
        assert_eq!(busy.so_far(400 * MS), 200 * MS);
        busy.begin(400 * MS);
        busy.end(450 * MS);
        assert_eq!(busy.so_far(900 * MS), 250 * MS);
    }
}
