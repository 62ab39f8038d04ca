//! The news: what happens when, and how it is written in each of the ways.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, de};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::app::Span;
use crate::app::run::Running;
use crate::journal::{ProgramEvent, Way};

/// One piece of news, as a lab file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct News {
    /// When it happens, counted from the server's start.
    pub(super) at: Span,
    /// What kind it is: `order.updated`.
    #[serde(deserialize_with = "one_line")]
    pub(super) event: String,
    /// What it says: JSON, in one line.
    #[serde(deserialize_with = "one_line_of_json")]
    pub(super) data: String,
}

fn one_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let line = String::deserialize(deserializer)?;
    match line.contains(['\r', '\n', '\0', '"', '\\']) {
        true => Err(de::Error::custom(format!("{line:?} is no name of an event: write one such as \"order.updated\""))),
        false => Ok(line),
    }
}

fn one_line_of_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let line = String::deserialize(deserializer)?;
    let is_json = serde_json::from_str::<de::IgnoredAny>(&line).is_ok();
    match is_json && !line.contains(['\r', '\n']) {
        true => Ok(line),
        false => Err(de::Error::custom(format!("{line:?} is not JSON in one line"))),
    }
}

/// The news of a run, from first to last, and how many of them have happened.
pub(super) struct Feed {
    news: Vec<News>,
    happened: watch::Sender<usize>,
}

impl Feed {
    pub(super) fn new(news: &[News]) -> Feed {
        let mut news = news.to_vec();
        news.sort_by_key(|one| one.at.duration());
        Feed { news, happened: watch::Sender::new(0) }
    }

    /// Lets everything happen, in its time.
    pub(super) async fn play(&self, running: &Running) {
        let start = Instant::now();
        for (index, one) in self.news.iter().enumerate() {
            sleep_until(start.checked_add(one.at.duration()).unwrap_or(start)).await;
            report(running, Way::Sent, "feed", &one.event, &one.data);
            self.happened.send_replace(index + 1);
        }
    }

    /// Whoever holds this is woken by each piece of news.
    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.happened.subscribe()
    }

    /// What has happened after the first `seen`, each with its number from 1.
    pub(super) fn after(&self, seen: usize) -> impl Iterator<Item = (usize, &News)> {
        let happened = *self.happened.borrow();
        self.news.iter().enumerate().take(happened).skip(seen).map(|(index, one)| (index + 1, one))
    }

    /// Whether everything has happened that will.
    pub(super) fn is_over(&self, seen: usize) -> bool {
        seen >= self.news.len()
    }
}

impl News {
    /// As a server-sent event: `id`, `event` and `data`, each a line, and an empty one (HTML §9.2.5).
    pub(super) fn as_event(&self, number: usize) -> String {
        format!("id: {number}\nevent: {}\ndata: {}\n\n", self.event, self.data)
    }

    /// As an object of JSON.
    pub(super) fn as_json(&self, number: usize) -> String {
        format!("{{\"id\":{number},\"event\":\"{}\",\"data\":{}}}", self.event, self.data)
    }
}

/// Several as an array of JSON.
pub(super) fn as_array<'a>(news: impl Iterator<Item = (usize, &'a News)>) -> String {
    let mut array = String::from("[");
    for (index, (number, one)) in news.enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(array, "{}{}", if index == 0 { "" } else { "," }, one.as_json(number));
    }
    array.push(']');
    array
}

/// Tells the journal of a piece of news that somebody sent or has got; `way` is one of the four, or the feed itself.
pub(super) fn report(running: &Running, way: Way, channel: &str, event: &str, data: &str) {
    let (what, channel, bytes) = (event.to_owned(), channel.to_owned(), data.len() as u64);
    let text = data.chars().take(200).collect();
    running.report(ProgramEvent::Message { way, what, channel, bytes, text });
}
