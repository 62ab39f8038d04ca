//! `instance-monitor`: how busy the instances of a service are, before there are more of them and after.
//!
//! ```text
//!        before                        after
//!  ──┤from ····· to├──── more ────┤from ····· to├──►      at each `|` it asks all instances for the time that
//!                                                         they have been busy so far; a share is the difference
//! ```
//!
//! Which instances there are says the registry. One that was not there both when a window began and when it ended has no share
//! in it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout};

use super::instance::{BUSY_SECONDS, METRICS};
use crate::app::discovery::{ServiceName, look_up};
use crate::app::http::connection::{Requests, close_after, request, whole, with_connection};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Url, values};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// How long one instance may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// `instance-monitor`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct InstanceMonitor {
    service: ServiceName,
    registry: Destination,
    ask: u16,
    windows: [Window; 2],
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    service: ServiceName,
    registry: Destination,
    /// The port on which instances tell how busy they are.
    #[serde(deserialize_with = "values::port")]
    ask: u16,
    before: Window,
    after: Window,
}

/// A time in which it is measured, counted from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    from: Span,
    to: Span,
}

impl TryFrom<Written> for InstanceMonitor {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<InstanceMonitor, &'static str> {
        let Written { service, registry, ask, before, after } = written;
        let moments = [before.from, before.to, after.from, after.to].map(Span::duration);
        if !moments.is_sorted() || before.from == before.to || after.from == after.to {
            return Err("first comes `before`, then `after`, and each begins before it ends");
        }
        Ok(InstanceMonitor { service, registry, ask, windows: [before, after] })
    }
}

impl Play for InstanceMonitor {
    const NAME: &'static str = "instance-monitor";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.registry]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// An instance that does not answer is told of, and has no share.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        let (started, mut ids) = (Instant::now(), running.data());
        let mut shares = Vec::new();
        for window in self.windows {
            let mut readings = Vec::new();
            for moment in [window.from, window.to] {
                // A moment beyond reckoning is now.
                sleep_until(started.checked_add(moment.duration()).unwrap_or(started)).await;
                readings.push(self.read_all(running, started, &mut ids).await?);
            }
            if let [begin, end] = readings.as_slice() {
                shares.push(Shares::between(begin, end));
            }
        }
        if let [before, after] = shares.as_slice() {
            tell(running, before, after);
        }
        Ok(())
    }
}

/// When an instance was asked, and how long it had been busy then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    at: Duration,
    busy: Duration,
}

/// What all instances said, by their names.
type Readings = BTreeMap<String, Reading>;

impl InstanceMonitor {
    async fn read_all(&self, running: &Running, started: Instant, ids: &mut Rng) -> Result<Readings, ProgramError> {
        let mut found = look_up(running, &self.registry, &self.service, ids).await?;
        found.targets.sort_unstable();
        let mut readings = Readings::new();
        for target in found.targets {
            match timeout(PATIENCE, self.read(running, target)).await {
                Ok(Ok(Some((name, busy)))) => {
                    readings.insert(name, Reading { at: started.elapsed(), busy });
                }
                Ok(Ok(None)) => running.complain(format!("{target} does not say how busy it is")),
                Ok(Err(error)) => running.complain(error),
                Err(_) => running.complain(format!("{target} does not answer in time")),
            }
        }
        Ok(readings)
    }

    async fn read(&self, running: &Running, target: IpAddr) -> Result<Option<(String, Duration)>, ProgramError> {
        let at = Destination { host: target.to_string(), port: self.ask };
        let mut request = request(&Url::http(&at, METRICS), Bytes::new());
        close_after(request.headers_mut());
        let ask = async |mut requests: Requests| {
            let body = requests.send_request(request.map(Full::new)).await?.into_body();
            Ok(whole(body).await)
        };
        let body = with_connection(running, &at, ask).await?.unwrap_or_default();
        Ok(understood(&String::from_utf8_lossy(&body)))
    }
}

/// The name and the busy time in `instance_busy_seconds_total{instance="posts-service-1"} 12.345`.
fn understood(text: &str) -> Option<(String, Duration)> {
    let line = text.lines().find_map(|line| line.strip_prefix(BUSY_SECONDS))?;
    let (label, seconds) = line.strip_prefix("{instance=")?.rsplit_once("} ")?;
    let name: String = serde_json::from_str(label).ok()?;
    let (whole, fraction) = seconds.trim().split_once('.').unwrap_or((seconds.trim(), ""));
    let is_number = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some((name, Duration::new(whole.parse().ok()?, nanos)))
}

/// Which share of a window each instance was busy, in thousandths, by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shares(BTreeMap<String, u64>);

impl Shares {
    fn between(begin: &Readings, end: &Readings) -> Shares {
        let share = |(name, last): (&String, &Reading)| {
            let first = begin.get(name)?;
            let span = last.at.checked_sub(first.at)?.as_nanos();
            let busy = last.busy.saturating_sub(first.busy).as_nanos();
            Some((name.clone(), u64::try_from((busy * 1000).checked_div(span)?).ok()?))
        };
        Shares(end.iter().filter_map(share).collect())
    }

    fn instances(&self) -> u64 {
        self.0.len() as u64
    }

    /// Of all instances, in thousandths; 0 when there is none.
    fn average(&self) -> u64 {
        self.0.values().sum::<u64>().checked_div(self.instances()).unwrap_or(0)
    }

    fn busiest(&self) -> u64 {
        self.0.values().copied().max().unwrap_or(0)
    }
}

/// `853` is `85%`.
fn percent(thousandths: u64) -> String {
    format!("{}%", (thousandths + 5) / 10)
}

/// Tells what came of it, for programs and for people.
fn tell(running: &Running, before: &Shares, after: &Shares) {
    let figures = [
        ("instances-before", before.instances()),
        ("instances-after", after.instances()),
        ("average-busy-before-thousandths", before.average()),
        ("average-busy-after-thousandths", after.average()),
        ("busiest-before-thousandths", before.busiest()),
        ("busiest-after-thousandths", after.busiest()),
    ];
    for (name, value) in figures {
        running.report(ProgramEvent::Figure { name: name.to_owned(), value });
    }
    for line in lines(before, after) {
        running.report(ProgramEvent::Output { line, is_error: false });
    }
}

fn lines(before: &Shares, after: &Shares) -> Vec<String> {
    let mut lines = vec![
        "{".to_owned(),
        format!("\"instancesBefore\": {},", before.instances()),
        format!("\"instancesAfter\": {},", after.instances()),
        format!("\"averageCpuBefore\": \"{}\",", percent(before.average())),
        format!("\"averageCpuAfter\": \"{}\"", percent(after.average())),
        "}".to_owned(),
    ];
    let share = |shares: &Shares, name: &str| {
        shares.0.get(name).map_or_else(|| "not there".to_owned(), |share| percent(*share))
    };
    let names: std::collections::BTreeSet<&String> = before.0.keys().chain(after.0.keys()).collect();
    lines.extend(names.into_iter().map(|name| format!("{name}: {}, then {}", share(before, name), share(after, name))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn readings(told: &[(&str, u32, u32)]) -> Readings {
        let reading =
            |(name, at, busy): &(&str, u32, u32)| ((*name).to_owned(), Reading { at: *at * MS, busy: *busy * MS });
        told.iter().map(reading).collect()
    }

    #[test]
    fn the_share_of_a_window_is_what_was_added_in_it() {
        let before = Shares::between(
            &readings(&[("a", 1000, 700), ("b", 1010, 0), ("gone", 1020, 5)]),
            &readings(&[("a", 3000, 2400), ("b", 3010, 1701), ("new", 3020, 9)]),
        );
        assert_eq!(before.0, [("a".to_owned(), 850), ("b".to_owned(), 850)].into());
        let after = Shares([("a".to_owned(), 556), ("b".to_owned(), 556), ("c".to_owned(), 326)].into());
        assert_eq!((after.average(), after.busiest()), (479, 556));
        let lines = lines(&before, &after);
        assert_eq!(lines[3..5], ["\"averageCpuBefore\": \"85%\",", "\"averageCpuAfter\": \"48%\""]);
        assert_eq!(lines[6..], ["a: 85%, then 56%", "b: 85%, then 56%", "c: not there, then 33%"]);
        assert_eq!(
            (Shares::default().average(), Shares::between(&before_one(), &before_one())),
            (0, Shares::default())
        );
    }

    /// Asked twice at one moment: there is nothing to divide by.
    fn before_one() -> Readings {
        readings(&[("a", 1000, 700)])
    }

    #[test]
    fn what_an_instance_says_is_read_strictly() {
        let said = |value: &str| understood(&format!("# a remark\n{BUSY_SECONDS}{{instance=\"p}} 1\"}} {value}\n"));
        assert_eq!(said("12.5"), Some(("p} 1".to_owned(), 12_500 * MS)));
        assert_eq!(said("7"), Some(("p} 1".to_owned(), 7_000 * MS)));
        for nonsense in ["", "-1", "1.2.3", "1e9", "1.0000000001", "99999999999999999999"] {
            assert_eq!(said(nonsense).filter(|_| !nonsense.is_empty()), None, "{nonsense}");
        }
        assert_eq!(understood("HTTP 404"), None);
        assert_eq!(understood(&format!("{BUSY_SECONDS}{{instance=x}} 1")), None);
    }
}
