//! Bodies that are too long to be written into a lab file: drawn from the run's seed, so that they are always the same.

use hyper::body::Bytes;
use serde::{Deserialize, Deserializer, de};

use super::{JSON, MOST_BODY, TEXT};
use crate::app::Size;
use crate::rng::Rng;

/// How many posts there are at most.
const MOST_POSTS: u32 = 10_000;

/// What titles and texts are made of.
const WORDS: [&str; 48] = [
    "a",
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "for",
    "with",
    "network",
    "server",
    "client",
    "request",
    "response",
    "packet",
    "segment",
    "connection",
    "latency",
    "throughput",
    "cache",
    "header",
    "body",
    "stream",
    "message",
    "queue",
    "timeout",
    "retry",
    "backend",
    "gateway",
    "balancer",
    "protocol",
    "handshake",
    "window",
    "congestion",
    "delay",
    "loss",
    "rate",
    "limit",
    "token",
    "service",
    "worker",
    "database",
    "event",
    "format",
    "compression",
    "efficiency",
    "observability",
];
const AUTHORS: [&str; 5] = ["Alice", "Bob", "Carol", "Dave", "Erin"];

/// What a body consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Generated {
    /// So many posts as JSON, about 200 octets each, a line for each.
    #[serde(deserialize_with = "posts")]
    Posts(u32),
    /// So many octets without any pattern, like a picture or a film.
    #[serde(deserialize_with = "size")]
    Random(Size),
    /// So many octets of text: lines of 64, each with its number, so that every piece can be told from the others.
    #[serde(deserialize_with = "size")]
    Text(Size),
}

fn posts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = u32::deserialize(deserializer)?;
    let error = || de::Error::custom(format!("{count} is too many: write a number of posts up to {MOST_POSTS}"));
    if count <= MOST_POSTS { Ok(count) } else { Err(error()) }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let size = Size::deserialize(deserializer)?;
    let error = || de::Error::custom(format!("{} octets are too many: a body has up to {MOST_BODY}", size.octets()));
    if size.octets() <= MOST_BODY as u64 { Ok(size) } else { Err(error()) }
}

impl Generated {
    /// The body, and its type.
    pub(super) fn body(self, mut rng: Rng) -> (&'static str, Bytes) {
        match self {
            Generated::Posts(count) => {
                let posts: Vec<String> = (1..=count).map(|id| post(&mut rng, id)).collect();
                (JSON, format!("{{\"posts\": [\n{}\n]}}\n", posts.join(",\n")).into())
            }
            Generated::Random(size) => {
                // A body's size was looked at when it was read.
                let mut octets = vec![0; usize::try_from(size.octets()).unwrap_or(MOST_BODY)];
                rng.fill(&mut octets);
                ("application/octet-stream", octets.into())
            }
            Generated::Text(size) => (TEXT, text(size).into()),
        }
    }
}

fn text(size: Size) -> String {
    let mut text: String = (1..=size.octets().div_ceil(64))
        .map(|number| format!("{number:08} wireglass serves lines of sixty-four octets, all told.\n"))
        .collect();
    text.truncate(usize::try_from(size.octets()).unwrap_or(MOST_BODY));
    text
}

fn post(rng: &mut Rng, id: u32) -> String {
    let (title, author) = (words(rng, 3), drawn(rng, &AUTHORS));
    let (text, day) = (words(rng, 16), 1 + rng.below(28));
    format!(
        "{{\"id\": {id}, \"title\": \"{title}\", \"author\": \"{author}\", \"date\": \"2026-04-{day:02}\", \"text\": \"{text}\"}}"
    )
}

fn words(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| drawn(rng, &WORDS)).collect::<Vec<_>>().join(" ")
}

fn drawn(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    let index = usize::try_from(rng.below(from.len() as u64)).unwrap_or(0);
    from.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_json_and_random_octets_are_as_many_as_asked_for() {
        let (kind, body) = Generated::Posts(500).body(Rng::new(1));
        let posts: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
        assert_eq!(
            (kind, posts["posts"].as_array().map(Vec::len), &posts["posts"][499]["id"]),
            (JSON, Some(500), &500.into())
        );
        assert!((80_000..120_000).contains(&body.len()), "{}", body.len());
        assert_eq!(Generated::Posts(500).body(Rng::new(1)).1, body);
        assert_ne!(Generated::Posts(500).body(Rng::new(2)).1, body);
        let (_, octets) = Generated::Random(Size::from_octets(1000)).body(Rng::new(1));
        assert_eq!(octets.len(), 1000);
    }
}
