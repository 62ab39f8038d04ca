//! Parts of a load, measured by themselves: what comes between two moments, and how long most of it takes.

use std::time::Duration;

use serde::Deserialize;

use crate::app::Span;

/// A part, as a lab file has it: the requests that are made from one moment on and before another, counted from the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// What its figures begin with.
    name: String,
    from: Span,
    to: Span,
}

impl Part {
    /// Whether it ends after it has begun.
    pub(super) fn is_sound(&self) -> bool {
        self.from.duration() < self.to.duration()
    }

    fn has(&self, began: Duration) -> bool {
        self.from.duration() <= began && began < self.to.duration()
    }
}

/// What was seen of each part.
#[derive(Debug)]
pub(super) struct Parts(Vec<(Part, Latencies)>);

/// Of one part.
#[derive(Debug, Default)]
struct Latencies {
    /// Of the answered ones.
    all: Vec<Duration>,
    unanswered: u64,
}

impl Parts {
    /// Of which nothing was seen yet.
    pub(super) fn new(parts: &[Part]) -> Parts {
        Parts(parts.iter().map(|part| (part.clone(), Latencies::default())).collect())
    }

    /// A request that began at `began` is over; `latency` is `None` for one without an answer.
    pub(super) fn end(&mut self, began: Duration, latency: Option<Duration>) {
        for (_, seen) in self.0.iter_mut().filter(|(part, _)| part.has(began)) {
            match latency {
                Some(latency) => seen.all.push(latency),
                None => seen.unanswered += 1,
            }
        }
    }

    /// The figures, each with its name.
    pub(super) fn figures(&self) -> Vec<(String, u64)> {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let of = |(part, seen): &(Part, Latencies)| {
            [
                ("answered", seen.all.len() as u64),
                ("given-up", seen.unanswered),
                ("latency-p50-us", micros(seen.percentile(50))),
                ("latency-p95-us", micros(seen.percentile(95))),
            ]
            .map(|(name, value)| (format!("{}-{name}", part.name), value))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// The same for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let of = |(part, seen): &(Part, Latencies)| {
            let [half, most] = [50, 95].map(|percent| seen.percentile(percent).as_millis());
            format!(
                "{}: {} answers, half of them within {half} ms, 95 of 100 within {most} ms",
                part.name,
                seen.all.len()
            )
        };
        self.0.iter().map(of).collect()
    }
}

impl Latencies {
    /// The shortest span within which so many of a hundred were answered; nothing when there is none.
    fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn parts(toml: &str) -> Vec<Part> {
        #[derive(Deserialize)]
        struct Table {
            parts: Vec<Part>,
        }
        toml::from_str::<Table>(&format!("parts = {toml}")).expect(toml).parts
    }

    #[test]
    fn a_request_belongs_to_the_part_in_which_it_began() {
        let settings = parts(r#"[{ name = "a", from = "0s", to = "1s" }, { name = "b", from = "1s", to = "2s" }]"#);
        assert!(settings.iter().all(Part::is_sound));
        let mut parts = Parts::new(&settings);
        parts.end(999 * MS, Some(500 * MS));
        parts.end(1000 * MS, Some(30 * MS));
        parts.end(1999 * MS, None);
        parts.end(2000 * MS, Some(7 * MS));
        let figures = parts.figures();
        let expected =
            [("a-answered", 1), ("a-given-up", 0), ("a-latency-p50-us", 500_000), ("a-latency-p95-us", 500_000)]
                .into_iter()
                .chain([
                    ("b-answered", 1),
                    ("b-given-up", 1),
                    ("b-latency-p50-us", 30_000),
                    ("b-latency-p95-us", 30_000),
                ]);
        assert!(figures.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{figures:?}");
        assert_eq!(parts.lines()[0], "a: 1 answers, half of them within 500 ms, 95 of 100 within 500 ms");
    }

    #[test]
    fn a_percentile_is_the_latency_that_so_many_did_not_exceed() {
        let of = |count: u32| Latencies { all: (1..=count).rev().map(|ms| ms * MS).collect(), unanswered: 0 };
        let table = [(0, 0, 0), (1, 1, 1), (2, 1, 2), (20, 10, 19), (21, 11, 20), (100, 50, 95)];
        for (count, half, most) in table {
            let latencies = of(count);
            assert_eq!((latencies.percentile(50), latencies.percentile(95)), (half * MS, most * MS), "of {count}");
        }
    }

    #[test]
    fn a_part_has_a_span() {
        assert!(!parts(r#"[{ name = "a", from = "1s", to = "1s" }]"#)[0].is_sound());
    }
}
