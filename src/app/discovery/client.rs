//! `service-client`: finds a service by its name, remembers where it is for as long as the answer says, and sends requests to
//! its instances in turn.

use std::net::IpAddr;
use std::time::Duration;

use http_body_util::Full;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::lookup::{Instances, ServiceName, look_up};
use super::trouble;
use crate::app::http::{Requests, close_after, request, whole, with_connection};
use crate::app::lines::Lines;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Url, values};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// `service-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceClient {
    /// What it looks for: `bookstore-service.default.svc.cluster.local`.
    service: ServiceName,
    /// Whom it asks for that.
    registry: Destination,
    /// Where its instances listen.
    #[serde(default = "eighty", deserialize_with = "values::port")]
    port: u16,
    /// What it asks an instance for.
    #[serde(default = "root")]
    path: String,
    /// How many requests it sends.
    requests: u32,
    /// The time from one request to the next; the first goes at once.
    every: Span,
    /// How long it waits for an answer, connecting included.
    #[serde(default = "one_second")]
    timeout: Span,
    /// How long it remembers where the service is.
    #[serde(default)]
    cache: CacheKind,
    /// How long it waits before it begins.
    #[serde(default)]
    after: Option<Span>,
}

/// How long an answer is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CacheKind {
    /// For its TTL.
    #[default]
    Ttl,
    /// As long as the program runs, as Java's did where a security manager was installed.
    ForEver,
}

fn eighty() -> u16 {
    80
}

fn root() -> String {
    "/".to_owned()
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

impl Play for ServiceClient {
    const NAME: &'static str = "service-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.registry]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// A request that fails is reported, and the next one goes to the next instance.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        if let Some(after) = self.after {
            sleep(after.duration()).await;
        }
        let mut client = Client { settings: self, running, ids: running.data(), known: None, next: 0 };
        let mut beat = Instant::now();
        for _ in 0..self.requests {
            sleep_until(beat).await;
            // A beat beyond reckoning is the one before it.
            beat = beat.checked_add(self.every.duration()).unwrap_or(beat);
            client.one().await?;
        }
        Ok(())
    }
}

/// Where the service is, as far as that is known.
struct Known {
    targets: Vec<IpAddr>,
    /// Until when; `None` for ever.
    until: Option<Instant>,
}

/// A client at work.
struct Client<'a> {
    settings: &'a ServiceClient,
    running: &'a Running,
    ids: Rng,
    known: Option<Known>,
    /// Requests that were sent.
    next: usize,
}

impl Client<'_> {
    /// One request to the next instance.
    async fn one(&mut self) -> Result<(), ProgramError> {
        let now = Instant::now();
        if self.known.as_ref().is_none_or(|known| known.until.is_some_and(|until| until <= now)) {
            self.known = Some(self.look_up().await?);
        }
        let targets = self.known.as_ref().map(|known| known.targets.as_slice()).unwrap_or_default();
        let Some(target) = targets.get(self.next % targets.len().max(1)).copied() else {
            self.running.complain(format!("{} is nowhere", self.settings.service));
            return Ok(());
        };
        self.next = self.next.wrapping_add(1);
        let asked = timeout(self.settings.timeout.duration(), self.get(target)).await;
        let (choice, detail) = match asked {
            Ok(Ok(status)) => (target.to_string(), format!("it answers {status}")),
            Ok(Err(error)) => (target.to_string(), trouble(&error)),
            Err(_) => (target.to_string(), format!("no answer within {:?}", self.settings.timeout.duration())),
        };
        self.running.report(ProgramEvent::Decision { what: "instance".to_owned(), choice, detail });
        Ok(())
    }

    /// Asks the registry, and says what it says.
    async fn look_up(&mut self) -> Result<Known, ProgramError> {
        let Instances { targets, ttl } =
            look_up(self.running, &self.settings.registry, &self.settings.service, &mut self.ids).await?;
        self.print(&targets, ttl);
        let until = match self.settings.cache {
            CacheKind::Ttl => Instant::now().checked_add(Duration::from_secs(ttl.into())),
            CacheKind::ForEver => None,
        };
        Ok(Known { targets, until })
    }

    /// Prints what is known, as JSON.
    fn print(&self, targets: &[IpAddr], ttl: u32) {
        let label = self.settings.service.label();
        let quoted: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let targets = if quoted.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", quoted.join(",\n")) };
        // A label may hold any octets; its JSON form is quoted.
        let label = serde_json::Value::from(label);
        let text = format!("{{\n\"service\": {label},\n\"resolvedTargets\": {targets},\n\"ttlSeconds\": {ttl}\n}}\n");
        self.show(text.as_bytes());
    }

    fn show(&self, text: &[u8]) {
        let mut lines = Lines::new(false);
        lines.push(text, &mut |line| self.running.report(line));
        lines.finish(&mut |line| self.running.report(line));
    }

    /// The status of an instance's answer, whose body is printed.
    async fn get(&self, target: IpAddr) -> Result<u16, ProgramError> {
        let destination = Destination { host: target.to_string(), port: self.settings.port };
        let service = self.settings.service.to_string();
        let authority = service.trim_end_matches('.').to_owned();
        let target = self.settings.path.clone();
        let url = Url { is_secure: false, destination: destination.clone(), authority, target };
        let mut request = request(&url, "");
        close_after(request.headers_mut());
        self.running.report(ProgramEvent::Request { method: "GET".to_owned(), target: url.target, bytes: 0 });
        let answered = with_connection(self.running, &destination, async |mut requests: Requests| {
            let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
            Ok((head.status.as_u16(), whole(body).await.unwrap_or_default()))
        });
        let (status, body) = answered.await?;
        self.running.report(ProgramEvent::Response { status, bytes: body.len() as u64, cache: None });
        self.show(&body);
        Ok(status)
    }
}
