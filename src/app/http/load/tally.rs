//! What a load comes to: how much was answered, how long it took, how much was under way (Little's law).
//!
//! No clock: every moment is the time since the load began. Quantities are whole numbers; averages are divided once, at the
//! end.

use std::time::Duration;

/// Within which span tries count as made at once.
const AT_ONCE: Duration = Duration::from_millis(10);
/// How many columns the picture of tries has at most.
const COLUMNS: u128 = 24;

/// What was seen of a load so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    requests: u64,
    answered: u64,
    given_up: u64,
    /// When each try was made, and whether it was a retry.
    tries: Vec<(Duration, bool)>,
    /// Requests that have begun and are not over.
    under_way: u64,
    /// The area under the curve of `under_way`, in requests × nanoseconds.
    area: u128,
    /// The sum of the answered requests' latencies, in nanoseconds.
    waited: u128,
    longest: Duration,
    /// When the curve last changed.
    last: Duration,
}

impl Tally {
    fn pass(&mut self, now: Duration) {
        self.area += u128::from(self.under_way) * now.saturating_sub(self.last).as_nanos();
        self.last = now.max(self.last);
    }

    /// A request begins.
    pub(super) fn begin(&mut self, now: Duration) {
        self.pass(now);
        self.requests += 1;
        self.under_way += 1;
    }

    /// It is tried, for the first time or again.
    pub(super) fn tries(&mut self, now: Duration, is_again: bool) {
        self.tries.push((now, is_again));
    }

    /// A request that began at `began` is over, with an answer or without.
    pub(super) fn end(&mut self, now: Duration, began: Duration, is_answered: bool) {
        self.pass(now);
        self.under_way = self.under_way.saturating_sub(1);
        if !is_answered {
            self.given_up += 1;
            return;
        }
        let latency = now.saturating_sub(began);
        self.answered += 1;
        self.waited += latency.as_nanos();
        self.longest = self.longest.max(latency);
    }

    /// How long the load has lasted, in nanoseconds; at least one.
    fn span(&self) -> u128 {
        self.last.as_nanos().max(1)
    }

    /// The most retries that were made at once.
    fn most_at_once(&self) -> usize {
        let mut retries: Vec<Duration> =
            self.tries.iter().filter(|(_, is_again)| *is_again).map(|(at, _)| *at).collect();
        retries.sort_unstable();
        let from = |(index, at): (usize, &Duration)| retries.partition_point(|other| *other < *at + AT_ONCE) - index;
        retries.iter().enumerate().map(from).max().unwrap_or(0)
    }

    /// The figures, each with its name: numbers in thousandths where the name says so.
    pub(super) fn figures(&self) -> Vec<(&'static str, u64)> {
        let whole = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
        let micros = |nanos: u128| whole(nanos / 1000);
        let mean = self.waited / u128::from(self.answered.max(1));
        vec![
            ("requests", self.requests),
            ("answered", self.answered),
            ("given-up", self.given_up),
            ("tries", self.tries.len() as u64),
            ("retries-at-once", self.most_at_once() as u64),
            ("latency-mean-us", micros(mean)),
            ("latency-longest-us", micros(self.longest.as_nanos())),
            // Little's law: how many are under way is how many come per second, times how long each stays.
            ("throughput-thousandths", whole(u128::from(self.answered) * 1_000_000_000_000 / self.span())),
            ("under-way-thousandths", whole(self.area * 1000 / self.span())),
            ("rate-times-latency-thousandths", whole(self.waited * 1000 / self.span())),
        ]
    }

    /// The same for people, in one or more lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let nanos = |value: u128| Duration::from_nanos(u64::try_from(value).unwrap_or(u64::MAX));
        let thousandths = |value: u128| format!("{}.{:02}", value / 1000, value % 1000 / 10);
        let mean = nanos(self.waited / u128::from(self.answered.max(1)));
        let mut lines = vec![
            format!(
                "{}, {} in {}: {} per second",
                counted(self.requests, "request"),
                counted(self.answered, "answer"),
                seconds(self.last),
                thousandths(u128::from(self.answered) * 1_000_000_000_000 / self.span())
            ),
            format!(
                "latency {} on average, {} at most; {} under way on average",
                seconds(mean),
                seconds(self.longest),
                thousandths(self.area * 1000 / self.span())
            ),
        ];
        if self.tries.len() as u64 != self.requests {
            lines.push(self.picture());
        }
        lines
    }

    /// How many tries were made when: `60 tries, per 0.5 s: 20 0 3 …`
    fn picture(&self) -> String {
        let last = self.tries.iter().map(|(at, _)| at.as_nanos()).max().unwrap_or(0);
        let half_second = 500_000_000;
        let width = half_second * (last / half_second / COLUMNS + 1);
        let mut columns = vec![0_u32; usize::try_from(last / width + 1).unwrap_or(1)];
        for (at, _) in &self.tries {
            let index = usize::try_from(at.as_nanos() / width).unwrap_or(0);
            columns.iter_mut().skip(index).take(1).for_each(|column| *column += 1);
        }
        let columns: Vec<String> = columns.iter().map(u32::to_string).collect();
        let width = Duration::from_nanos(u64::try_from(width).unwrap_or(u64::MAX));
        format!("{} tries, per {}: {}", self.tries.len(), seconds(width), columns.join(" "))
    }
}

/// `1 request`, `2 requests`
fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `0.204 s`
fn seconds(span: Duration) -> String {
    format!("{}.{:03} s", span.as_secs(), span.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn figure(tally: &Tally, name: &str) -> u64 {
        tally.figures().into_iter().find(|(known, _)| *known == name).expect(name).1
    }

    /// Two at a time, 100 ms each: 20 per second.
    fn steady() -> Tally {
        let mut tally = Tally::default();
        for round in 0..10 {
            let (begin, end) = (round * 100 * MS, (round + 1) * 100 * MS);
            (0..2).for_each(|_| tally.begin(begin));
            (0..2).for_each(|_| tally.tries(begin, false));
            (0..2).for_each(|_| tally.end(end, begin, true));
        }
        tally
    }

    #[test]
    fn what_is_under_way_is_what_comes_times_how_long_it_stays() {
        let tally = steady();
        assert_eq!(figure(&tally, "throughput-thousandths"), 20_000);
        assert_eq!(figure(&tally, "latency-mean-us"), 100_000);
        assert_eq!(figure(&tally, "under-way-thousandths"), 2_000);
        assert_eq!(figure(&tally, "rate-times-latency-thousandths"), 2_000);
        assert_eq!(tally.lines()[0], "20 requests, 20 answers in 1.000 s: 20.00 per second");
        assert_eq!(tally.lines().len(), 2, "nobody has tried again");
    }

    /// The law holds for all who wait. Who gives up has waited too, but is in no answer's latency.
    #[test]
    fn those_who_give_up_are_missing_in_the_latency_and_not_under_way() {
        let mut tally = steady();
        tally.begin(1000 * MS);
        tally.end(2000 * MS, 1000 * MS, false);
        assert_eq!(figure(&tally, "given-up"), 1);
        assert_eq!(figure(&tally, "under-way-thousandths"), 1_500);
        assert_eq!(figure(&tally, "rate-times-latency-thousandths"), 1_000);
    }

    #[test]
    fn retries_within_ten_milliseconds_are_made_at_once() {
        let mut tally = Tally::default();
        for (at, is_again) in [(0, false), (0, false), (500, true), (505, true), (509, true), (510, true), (600, true)]
        {
            tally.tries(at * MS, is_again);
        }
        assert_eq!(figure(&tally, "retries-at-once"), 3);
        assert_eq!(tally.picture(), "7 tries, per 0.500 s: 2 5");
    }

    #[test]
    fn a_long_load_has_a_picture_of_few_columns() {
        let mut tally = Tally::default();
        (0..1000).for_each(|second| tally.tries(second * 1000 * MS, false));
        let columns = tally.picture().split(": ").nth(1).map(|all| all.split(' ').count());
        assert!(columns.is_some_and(|columns| columns <= 24), "{}", tally.picture());
    }

    #[test]
    fn a_load_of_nothing_has_figures_too() {
        assert!(Tally::default().figures().iter().all(|(_, value)| *value == 0));
        assert_eq!(Tally::default().lines().len(), 2);
    }
}
