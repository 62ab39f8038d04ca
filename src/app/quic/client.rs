//! `streams-get`: asks for several pages at once, each as a stream of one connection, over TCP or over QUIC.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::quic_get;
use crate::app::channel::{Dialer, H2};
use crate::app::http::{Requests, connection};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::ProgramEvent;

/// Requests at once: as many as both protocols let a client open without asking.
const MOST: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);

/// `streams-get`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct StreamsGet {
    pub(super) requests: Vec<Url>,
    over: Over,
    rounds: NonZeroU32,
    reconnect: bool,
    pause: Option<Span>,
    timeout: Option<Span>,
    pub(super) tls: ClientTls,
    may_fail: bool,
}

/// What carries the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Over {
    /// TLS over TCP.
    Http2,
    /// QUIC.
    Http3,
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What is asked for at once.
    requests: Vec<Url>,
    over: Over,
    /// How often all of it is asked for.
    #[serde(default = "once")]
    rounds: NonZeroU32,
    /// Whether each round has a connection of its own; else all go over the same.
    #[serde(default)]
    reconnect: bool,
    /// How long it waits before another round.
    pause: Option<Span>,
    /// How long it waits until all is there.
    timeout: Option<Span>,
    #[serde(default)]
    tls: ClientTls,
    /// Whether it ends well where the connection breaks: only said as a line on its error output.
    #[serde(default)]
    may_fail: bool,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl TryFrom<Written> for StreamsGet {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<StreamsGet, &'static str> {
        let requests = written.requests;
        if !(1..=MOST).contains(&requests.len()) {
            return Err("streams-get has `requests`, 1 to 100 of them: write URLs such as \"https://server/a.txt\"");
        }
        if requests.iter().any(|url| !url.is_secure) {
            return Err("streams-get speaks TLS: write URLs that begin with https://");
        }
        if requests.windows(2).any(|pair| pair[0].destination != pair[1].destination) {
            return Err("one connection leads to one server: write `requests` of the same host and port");
        }
        if written.over == Over::Http3 && !written.tls.versions.suit_quic() {
            return Err(super::NEEDS_TLS_1_3);
        }
        let Written { over, rounds, reconnect, pause, timeout, tls, may_fail, .. } = written;
        Ok(StreamsGet { requests, over, rounds, reconnect, pause, timeout, tls, may_fail })
    }
}

impl Play for StreamsGet {
    const NAME: &'static str = "streams-get";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        self.requests.iter().map(|url| &url.destination).collect()
    }

    fn moves_over_tcp(&self) -> bool {
        self.over == Over::Http2
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        let log = Log::default();
        let patience = self.timeout.map_or(PATIENCE, Span::duration);
        let talk = async {
            let connections = if self.reconnect { self.rounds.get() } else { 1 };
            for connection in 0..connections {
                self.pause_before(connection).await;
                match self.over {
                    Over::Http2 => self.over_tcp(running, &log).await?,
                    Over::Http3 => quic_get::over_quic(self, running, &log).await?,
                }
            }
            Ok(())
        };
        let outcome = timeout(patience, talk).await.unwrap_or_else(|_| {
            let silent = std::io::ErrorKind::TimedOut.into();
            Err(running.broken("waiting for", self.to())(silent))
        });
        log.tell(running);
        match outcome {
            Err(error) if self.may_fail => {
                running.complain(error);
                Ok(())
            }
            outcome => outcome,
        }
    }
}

impl StreamsGet {
    /// Whom it asks.
    pub(super) fn to(&self) -> &Destination {
        // There is a request: the settings were looked at.
        &self.requests[0].destination
    }

    async fn over_tcp(&self, running: &Running, log: &Log) -> Result<(), ProgramError> {
        let channel = Dialer::new(&self.tls, &[H2]).dial(running, &self.requests[0]).await?;
        let talk = async |requests: Requests| {
            let ask = |receipt: Receipt| {
                let requests = requests.beside();
                async move {
                    match requests {
                        Some(requests) => get(requests, receipt).await,
                        None => Ok(()),
                    }
                }
            };
            self.rounds(running, "HTTP/2", log, ask).await
        };
        connection::over(running, channel, self.to(), true, talk).await
    }

    /// Waits before each round but the first.
    async fn pause_before(&self, round: u32) {
        if let Some(pause) = self.pause
            && round > 0
        {
            sleep(pause.duration()).await;
        }
    }

    /// Asks for all at once, as often as it is to be over one connection, and waits for all each time.
    pub(super) async fn rounds<F, E>(
        &self,
        running: &Running,
        over: &'static str,
        log: &Log,
        ask: impl Fn(Receipt) -> F,
    ) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>> + 'static,
        E: 'static,
    {
        let rounds = if self.reconnect { 1 } else { self.rounds.get() };
        for round in 0..rounds {
            self.pause_before(round).await;
            let mut streams = JoinSet::new();
            for url in &self.requests {
                streams.spawn_local(ask(Receipt::new(running, over, url, log)));
            }
            while let Some(ended) = streams.join_next().await {
                match ended.map_err(tokio::task::JoinError::try_into_panic) {
                    Ok(outcome) => outcome?,
                    Err(Ok(panic)) => std::panic::resume_unwind(panic),
                    // Cancelled, which nobody does.
                    Err(Err(_)) => {}
                }
            }
        }
        Ok(())
    }
}

/// Gets one page over HTTP/2.
async fn get(mut requests: Requests, mut receipt: Receipt) -> hyper::Result<()> {
    requests.ready().await?;
    let response = requests.send_request(receipt.ask().map(Full::new)).await?;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            receipt.octets(data.len());
        }
    }
    receipt.whole();
    Ok(())
}

/// How long each page took.
#[derive(Clone, Default)]
pub(super) struct Log(Rc<RefCell<Vec<Duration>>>);

impl Log {
    /// Tells how many pages came, and how long they took.
    fn tell(&self, running: &Running) {
        let spans = self.0.borrow();
        let count = spans.len() as u64;
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let figure = |name: &str, value| running.report(ProgramEvent::Figure { name: name.to_owned(), value });
        figure("whole", count);
        if let Some(longest) = spans.iter().max() {
            figure("whole-longest-us", micros(*longest));
            figure("whole-mean-us", micros(spans.iter().sum::<Duration>()) / count);
        }
    }
}

/// What has come of one page.
pub(super) struct Receipt {
    running: Running,
    over: &'static str,
    url: Url,
    asked: Instant,
    begun: Option<Duration>,
    bytes: u64,
    log: Log,
}

impl Receipt {
    fn new(running: &Running, over: &'static str, url: &Url, log: &Log) -> Receipt {
        let (running, url, log) = (running.clone(), url.clone(), log.clone());
        Receipt { running, over, url, asked: Instant::now(), begun: None, bytes: 0, log }
    }

    /// The request, which goes now.
    pub(super) fn ask(&mut self) -> Request<Bytes> {
        self.asked = Instant::now();
        let target = self.url.target.clone();
        self.running.report(ProgramEvent::Request { method: "GET".to_owned(), target, bytes: 0 });
        connection::request(&self.url, Bytes::new())
    }

    /// So many octets of the body are in the program's hands.
    pub(super) fn octets(&mut self, octets: usize) {
        if octets > 0 {
            self.begun.get_or_insert_with(|| self.asked.elapsed());
            self.bytes += octets as u64;
        }
    }

    /// The page is there.
    pub(super) fn whole(self) {
        let whole = self.asked.elapsed();
        self.log.0.borrow_mut().push(whole);
        self.running.report(ProgramEvent::Delivered {
            over: self.over.to_owned(),
            target: self.url.target,
            bytes: self.bytes,
            begun: self.begun.unwrap_or(whole),
            latency: whole,
        });
    }
}
