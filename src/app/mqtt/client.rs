//! `mqtt-client`: subscribes and publishes, as `mosquitto_sub` and `mosquitto_pub` do; and can be as slow, or break off as
//! suddenly, as clients do in real life.

use std::collections::BTreeSet;
use std::time::Duration;

use mqtt_proto::v3::{Connect, ConnectReturnCode, Packet, Publish, Subscribe, SubscribeReturnCode};
use mqtt_proto::{Pid, QoS, QosPid, TopicFilter, TopicName};
use serde::{Deserialize, Deserializer, de};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::wire::{self, Inbox, WireError};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Stream};
use crate::journal::Way;

/// What a client promises: that it is never silent for longer, in seconds (§3.1.2.10).
const KEEP_ALIVE: u16 = 60;
/// After how long a silence it says that it is there.
const PING_AFTER: Duration = Duration::from_secs(30);
/// How long the broker may take to end a connection after DISCONNECT.
const FAREWELL: Duration = Duration::from_secs(5);

/// `mqtt-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttClient {
    /// The broker.
    to: Destination,
    /// By what name the broker knows it.
    id: String,
    /// Whether its session ends with its connection.
    #[serde(default = "yes")]
    clean: bool,
    #[serde(default)]
    subscribe: Vec<Wanted>,
    /// What it publishes, one after the other.
    #[serde(default)]
    publish: Vec<Said>,
    /// It goes when it has got so many messages, and its own are acknowledged.
    #[serde(default)]
    receive: u32,
    /// Or after so long.
    #[serde(default = "ten_seconds")]
    patience: Span,
    /// How long it takes over each message, reading no other.
    #[serde(default)]
    takes: Option<Span>,
    /// Once it breaks off as in a crash.
    #[serde(default)]
    breaks_off: Option<BreakOff>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(deserialize_with = "filter")]
    topic: TopicFilter,
    #[serde(default, deserialize_with = "qos")]
    qos: u8,
}

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// How long it waits before.
    #[serde(default)]
    after: Option<Span>,
    #[serde(deserialize_with = "topic")]
    topic: TopicName,
    #[serde(default, deserialize_with = "qos")]
    qos: u8,
    /// Whether the broker keeps it for those who subscribe later.
    #[serde(default)]
    retain: bool,
    payload: String,
    /// How often, each time `after` so long.
    #[serde(default = "one")]
    times: u32,
}

/// Breaks off with a reset as a message comes, which it does not acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakOff {
    /// Which message, from 1.
    at: u32,
    /// When it comes back.
    back_after: Span,
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

fn ten_seconds() -> Span {
    Span::from_duration(Duration::from_secs(10))
}

fn filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TopicFilter, D::Error> {
    let written = String::deserialize(deserializer)?;
    let read = TopicFilter::try_from(written.as_str()).ok().filter(|filter| !filter.is_shared());
    read.ok_or_else(|| de::Error::custom(format!("`{written}` is not a topic filter: write one such as \"users/#\"")))
}

fn topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TopicName, D::Error> {
    let written = String::deserialize(deserializer)?;
    let read = TopicName::try_from(written.as_str()).ok().filter(|_| !written.is_empty());
    read.ok_or_else(|| de::Error::custom(format!("`{written}` is not a topic: write one such as \"users/created\"")))
}

fn qos<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let level = u8::deserialize(deserializer)?;
    super::qos(level).map(|_| level).map_err(de::Error::custom)
}

impl Play for MqttClient {
    const NAME: &'static str = "mqtt-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.to]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// In the background, the next step begins when it has subscribed.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let mut ready = Some(ready);
        let mut ready = move || {
            if let Some(ready) = ready.take() {
                ready();
            }
        };
        let mut progress = Progress::default();
        let until = Instant::now().checked_add(self.patience.duration());
        while let Visit::BrokenOff(back_after) = self.visit(running, &mut progress, until, &mut ready).await? {
            sleep(back_after).await;
        }
        Ok(())
    }
}

/// What a client has done, over all its connections.
#[derive(Default)]
struct Progress {
    received: u32,
    /// Messages that were published, in the order of the settings.
    said: usize,
    /// How often the next of the settings was said already.
    times: u32,
    has_broken_off: bool,
}

/// How one connection has ended.
enum Visit {
    Done,
    /// It is to come back after so long.
    BrokenOff(Duration),
}

/// What happens next on a connection.
enum Stimulus {
    Heard(Result<Option<Packet>, WireError>),
    /// It is time to publish.
    Due,
    /// It is time to say that it is there.
    Idle,
    /// Patience is over.
    Enough,
}

impl MqttClient {
    /// One connection, from CONNECT to its end.
    async fn visit(
        &self,
        running: &Running,
        progress: &mut Progress,
        until: Option<Instant>,
        ready: &mut impl FnMut(),
    ) -> Result<Visit, ProgramError> {
        let mut stream = running.connect(&self.to).await?;
        stream.set_nodelay(true).map_err(running.broken("setting up the connection to", &self.to))?;
        let mut line = Line {
            client: self,
            running,
            inbox: Inbox::default(),
            unacknowledged: BTreeSet::new(),
            pids: Pid::default(),
        };
        let mut is_subscribed = line.introduce(&mut stream).await?;
        if is_subscribed {
            ready();
        }
        let mut due = is_subscribed.then(|| self.due(progress)).flatten();
        loop {
            let is_done = is_subscribed
                && progress.received >= self.receive
                && progress.said >= self.publish.len()
                && line.unacknowledged.is_empty();
            if is_done {
                break;
            }
            match line.next(&mut stream, due, until).await {
                Stimulus::Heard(Ok(Some(Packet::Suback(suback)))) => {
                    if suback.topics.contains(&SubscribeReturnCode::Failure) {
                        return Err(line.protocol("it refuses a subscription"));
                    }
                    is_subscribed = true;
                    due = self.due(progress);
                    ready();
                }
                Stimulus::Heard(Ok(Some(Packet::Publish(publish)))) => {
                    progress.received = progress.received.saturating_add(1);
                    super::report(running, Way::Received, &publish);
                    if let Some(broken) = self.breaks_off.filter(|broken| broken.at == progress.received)
                        && !std::mem::replace(&mut progress.has_broken_off, true)
                    {
                        stream.abort();
                        return Ok(Visit::BrokenOff(broken.back_after.duration()));
                    }
                    line.digest(&mut stream, &publish).await?;
                }
                Stimulus::Heard(Ok(Some(packet))) => line.take(&packet)?,
                Stimulus::Heard(Ok(None)) => return Err(line.protocol("it has ended the connection")),
                Stimulus::Heard(Err(error)) => return Err(line.wrong(error)),
                Stimulus::Due => {
                    if let Some(said) = self.publish.get(progress.said) {
                        line.say(&mut stream, said).await?;
                        progress.times += 1;
                        if progress.times >= said.times.max(1) {
                            (progress.said, progress.times) = (progress.said + 1, 0);
                        }
                    }
                    due = self.due(progress);
                }
                Stimulus::Idle => line.send(&mut stream, &Packet::Pingreq).await?,
                Stimulus::Enough => {
                    let (heard, wanted) = (progress.received, self.receive);
                    running.complain(format!("it goes with {heard} of {wanted} messages"));
                    break;
                }
            }
        }
        line.farewell(stream).await?;
        Ok(Visit::Done)
    }

    /// When the next message is to be published; `None` when none is left.
    fn due(&self, progress: &Progress) -> Option<Instant> {
        let next = self.publish.get(progress.said)?;
        let after = next.after.map(Span::duration).unwrap_or_default();
        // A time beyond reckoning never comes.
        Instant::now().checked_add(after)
    }
}

/// A connection to the broker.
struct Line<'a> {
    client: &'a MqttClient,
    running: &'a Running,
    inbox: Inbox,
    /// What was published with QoS 1, and the broker has not acknowledged.
    unacknowledged: BTreeSet<u16>,
    pids: Pid,
}

impl Line<'_> {
    fn protocol(&self, detail: &str) -> ProgramError {
        let (program, peer) = (self.running.program, self.client.to.to_string());
        ProgramError::Protocol { program, peer, detail: detail.to_owned() }
    }

    fn wrong(&self, error: WireError) -> ProgramError {
        match error {
            WireError::Io(error) => self.running.broken("receiving from", &self.client.to)(error),
            WireError::Malformed(detail) => self.protocol(&detail),
        }
    }

    async fn send(&self, stream: &mut Stream, packet: &Packet) -> Result<(), ProgramError> {
        wire::write(stream, packet).await.map_err(self.running.broken("sending to", &self.client.to))
    }

    /// CONNECT and its answer, then the subscriptions; `true` when there are none to be made, because the broker has kept
    /// them (§3.2.2.2).
    async fn introduce(&mut self, stream: &mut Stream) -> Result<bool, ProgramError> {
        let connect =
            Connect { clean_session: self.client.clean, ..Connect::new(self.client.id.as_str().into(), KEEP_ALIVE) };
        self.send(stream, &connect.into()).await?;
        match self.inbox.next(stream).await {
            Ok(Some(Packet::Connack(connack))) if connack.code == ConnectReturnCode::Accepted => {
                if connack.session_present {
                    return Ok(true);
                }
            }
            Ok(Some(Packet::Connack(connack))) => {
                return Err(self.protocol(&format!("it refuses the client: {:?}", connack.code)));
            }
            Ok(_) => return Err(self.protocol("it does not answer CONNECT with CONNACK")),
            Err(error) => return Err(self.wrong(error)),
        }
        if self.client.subscribe.is_empty() {
            return Ok(true);
        }
        let wanted = |wanted: &Wanted| (wanted.topic.clone(), super::qos(wanted.qos).unwrap_or(QoS::Level0));
        let subscribe = Subscribe::new(self.new_pid(), self.client.subscribe.iter().map(wanted).collect());
        self.send(stream, &subscribe.into()).await.map(|()| false)
    }

    fn new_pid(&mut self) -> Pid {
        let pid = self.pids;
        self.pids += 1;
        pid
    }

    async fn next(&mut self, stream: &mut Stream, due: Option<Instant>, until: Option<Instant>) -> Stimulus {
        let at = |moment: Option<Instant>| async move {
            match moment {
                Some(moment) => sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        // Times first: where a message always waits to be read, they would never come.
        tokio::select! {
            biased;
            () = at(until) => Stimulus::Enough,
            () = at(due) => Stimulus::Due,
            heard = self.inbox.next(stream) => Stimulus::Heard(heard),
            () = sleep(PING_AFTER) => Stimulus::Idle,
        }
    }

    /// Takes its time over a message, and acknowledges it.
    async fn digest(&mut self, stream: &mut Stream, publish: &Publish) -> Result<(), ProgramError> {
        if let Some(span) = self.client.takes {
            sleep(span.duration()).await;
        }
        match publish.qos_pid {
            QosPid::Level0 => Ok(()),
            QosPid::Level1(pid) => self.send(stream, &Packet::Puback(pid)).await,
            QosPid::Level2(_) => Err(self.protocol("it sends with QoS 2, which was not asked for")),
        }
    }

    /// Everything else that a broker sends.
    fn take(&mut self, packet: &Packet) -> Result<(), ProgramError> {
        match packet {
            Packet::Puback(pid) => {
                self.unacknowledged.remove(&pid.value());
                Ok(())
            }
            Packet::Pingresp => Ok(()),
            other => Err(self.protocol(&format!("a broker does not send {:?} here", other.get_type()))),
        }
    }

    async fn say(&mut self, stream: &mut Stream, said: &Said) -> Result<(), ProgramError> {
        let qos_pid = match said.qos {
            0 => QosPid::Level0,
            _ => {
                let pid = self.new_pid();
                self.unacknowledged.insert(pid.value());
                QosPid::Level1(pid)
            }
        };
        let payload = said.payload.clone().into();
        let publish = Publish { dup: false, retain: said.retain, qos_pid, topic_name: said.topic.clone(), payload };
        super::report(self.running, Way::Sent, &publish);
        self.send(stream, &publish.into()).await
    }

    /// DISCONNECT, and an orderly end.
    async fn farewell(&self, mut stream: Stream) -> Result<(), ProgramError> {
        self.send(&mut stream, &Packet::Disconnect).await?;
        stream.shutdown().await.map_err(self.running.broken("closing the connection with", &self.client.to))?;
        let mut nowhere = tokio::io::sink();
        match timeout(FAREWELL, tokio::io::copy(&mut stream, &mut nowhere)).await {
            Ok(Err(error)) => Err(self.running.broken("waiting for the close of", &self.client.to)(error)),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}
