//! The wire of a packet test: the engine under test stands at one end, the log of the test at the other.
//!
//! ```text
//!   wire.log("
//!       < PA 1:101   ack 1                      a segment arrives
//!       +40ms                                   time passes, and nothing is sent meanwhile
//!       > A  1       ack 101   | acknowledge    this is sent next, for this reason
//!   ");
//! ```
//!
//! Every segment that the engine sends must stand in the log, in order: one that does not fails the test, at the next
//! line that arrives or waits, and at the end. `<<` in place of `<` is a segment with others right behind it: what
//! follows from it is sent after the whole batch. See [`super::notation`] for how segments are written.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::notation::{self, Mentions, Origins, octets, span};
use crate::journal::{DropReason, Event, Recovery, Snapshot, SocketId, TcpState};
use crate::packet::{DeliveryError, PacketId, SeqNum};
use crate::tcp::{Arrival, Config, Departure, Ends, Engine};
use crate::time::Instant;
use crate::transport::{SocketError, SocketEvent, SocketOption};

/// The peer's initial sequence number.
const PEER_ISS: SeqNum = SeqNum(1_000_000);
/// The MTU of the wire.
const MTU: usize = 1500;

/// What most tests begin with: the defaults, but each segment leaves alone, so that the log shows packets.
pub(super) fn config() -> Config {
    Config { super_segments: false, ..Config::default() }
}

/// One engine and the wire to its peer. See the [module](self).
pub(super) struct Wire {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) ends: Ends,
    /// The connection under test, once there is one.
    connection: Option<SocketId>,
    listener: Option<SocketId>,
    iss: SeqNum,
    pub(super) peer_iss: SeqNum,
    ts_base: Option<u32>,
    out: VecDeque<Departure>,
    written: u64,
    read: u64,
    events: Vec<SocketEvent>,
    journal: Vec<Event>,
}

impl Wire {
    fn new(ends: Ends) -> Wire {
        Wire {
            engine: Engine::new(1, MTU),
            now: Instant::ZERO,
            ends,
            connection: None,
            listener: None,
            iss: SeqNum(0),
            peer_iss: PEER_ISS,
            ts_base: None,
            out: VecDeque::new(),
            written: 0,
            read: 0,
            events: Vec::new(),
            journal: Vec::new(),
        }
    }

    /// A host without sockets.
    pub(super) fn closed() -> Wire {
        Wire::new(ends("10.0.0.1:80", "10.0.0.2:4000"))
    }

    /// A host that listens on port 80, with room for `backlog` and one connections.
    pub(super) fn listening(backlog: usize, config: &Config) -> Wire {
        let mut wire = Wire::closed();
        wire.listen(backlog, config);
        wire
    }

    /// A host that has begun to open a connection; its SYN is the next to be sent.
    pub(super) fn connecting(config: &Config) -> Wire {
        Wire::connecting_between(ends("10.0.0.1:5000", "10.0.0.2:80"), config)
    }

    /// A host between these ends that has done nothing yet.
    pub(super) fn between(local: &str, remote: &str) -> Wire {
        Wire::new(ends(local, remote))
    }

    pub(super) fn connecting_between(ends: Ends, config: &Config) -> Wire {
        let mut wire = Wire::new(ends);
        wire.connect(config);
        wire
    }

    /// A connection that a peer with a maximum segment size of 1000 and no other option has opened.
    pub(super) fn open() -> Wire {
        Wire::open_with(&config(), "mss 1000")
    }

    /// A connection that a peer with these options has opened. Its round trip took no time.
    pub(super) fn open_with(config: &Config, options: &str) -> Wire {
        let mut wire = Wire::listening(0, config);
        wire.handshake(options);
        wire
    }

    /// The peer opens, and the application accepts.
    pub(super) fn handshake(&mut self, options: &str) {
        self.arrives(&format!("S 0 <{options}>"), true);
        let answer = self.out.pop_front().expect("a SYN is answered").segment;
        assert!(answer.flags.syn() && answer.flags.ack());
        let stamps = answer.options.timestamps.map_or(String::new(), |(_, echo)| format!("<ts {echo} 0>"));
        self.arrives(&format!("A 1 ack 1 {stamps}"), true);
        self.accept();
        self.events.clear();
        self.journal.clear();
    }

    pub(super) fn listen(&mut self, backlog: usize, config: &Config) {
        self.listener = Some(self.engine.listen(self.ends.local, backlog, config).expect("the port is free"));
    }

    pub(super) fn connect(&mut self, config: &Config) {
        let opened = self.engine.connect(self.now, self.ends.local, self.ends.remote, config);
        self.connection = Some(opened.expect("the ends are free"));
        (self.written, self.read) = (0, 0);
        self.drain();
    }

    /// Opens with the first octets of the application's stream; all must find room.
    pub(super) fn connect_with(&mut self, config: &Config, length: usize) {
        let (local, remote) = (self.ends.local, self.ends.remote);
        let opened = self.engine.connect_with(self.now, local, remote, config, &octets(0, length));
        let (socket, taken) = opened.expect("the ends are free");
        assert_eq!(taken, length);
        self.connection = Some(socket);
        (self.written, self.read) = (length as u64, 0);
        self.drain();
    }

    /// Accepts the next connection, which is then the one under test.
    pub(super) fn accept(&mut self) {
        let listener = self.listener.expect("somebody listens");
        let (socket, remote) = self.engine.accept(listener).expect("a connection is open");
        self.connection = Some(socket);
        self.ends.remote = remote;
        (self.written, self.read) = (0, 0);
    }

    /// Our initial sequence number towards the peer of the log.
    pub(super) fn own_iss(&self) -> SeqNum {
        self.iss
    }

    /// The log is about these ends again, where our initial sequence number was this.
    pub(super) fn come_back_to(&mut self, ends: Ends, iss: SeqNum) {
        (self.ends, self.iss) = (ends, iss);
    }

    pub(super) fn listener(&self) -> SocketId {
        self.listener.expect("somebody listens")
    }

    /// Whether no connection waits to be accepted.
    pub(super) fn nothing_to_accept(&mut self) -> bool {
        self.engine.accept(self.listener.expect("somebody listens")).is_none()
    }

    pub(super) fn close_listener(&mut self) {
        self.engine.close(self.now, self.listener.take().expect("somebody listens"));
        self.drain();
    }

    /// From now on the log is about a peer at this port.
    pub(super) fn peer_port(&mut self, port: u16) {
        self.ends.remote.set_port(port);
    }

    /// Plays the log. See the [module](self).
    pub(super) fn log(&mut self, log: &str) {
        for line in log.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(text) = line.strip_prefix("<<") {
                self.arrives(text, false);
            } else if let Some(text) = line.strip_prefix('<') {
                self.arrives(text, true);
            } else if let Some(text) = line.strip_prefix('>') {
                self.leaves(text, line);
            } else if let Some(text) = line.strip_prefix('+') {
                self.wait(span(text));
            } else {
                panic!("the log has a line {line:?}");
            }
        }
        self.assert_silent("the log ends here");
    }

    /// Time passes; nothing may be sent before the end of it.
    pub(super) fn wait(&mut self, span: Duration) {
        self.assert_silent("time is to pass");
        let end = self.now + span;
        while let Some((at, ..)) = self.engine.deadline().filter(|(at, ..)| *at < end) {
            self.now = self.now.max(at);
            self.engine.expire(self.now);
            self.drain();
            self.assert_silent(&format!("nothing was expected before {end}"));
        }
        self.now = end;
        self.engine.expire(end);
        self.drain();
    }

    /// Time passes until the engine sends something; returns how long that was, or `None` when it never does.
    pub(super) fn until_sent(&mut self) -> Option<Duration> {
        self.assert_silent("time is to pass");
        let start = self.now;
        while self.out.is_empty() {
            let (at, ..) = self.engine.deadline()?;
            self.now = self.now.max(at);
            self.engine.expire(self.now);
            self.drain();
        }
        Some(self.now - start)
    }

    /// Takes what was sent without comparing it.
    pub(super) fn take_sent(&mut self) -> Vec<Departure> {
        self.out.drain(..).collect()
    }

    /// What is sent next, its numbers as in a log.
    pub(super) fn next_sent(&mut self) -> String {
        let departure = self.out.pop_front().expect("something was sent");
        let shown = notation::write(&departure.segment, self.ours(), Mentions::default());
        format!("{shown} | {}", departure.why.reason.name())
    }

    /// A segment arrives, and whatever it is answered with may wait to be looked at.
    pub(super) fn receive(&mut self, text: &str) {
        self.arrives(text, true);
    }

    fn arrives(&mut self, text: &str, drain: bool) {
        self.assert_silent(&format!("{text} is to arrive"));
        let (segment, _) = notation::read(text, self.peers());
        self.engine.receive(self.now, Arrival { ends: self.ends, segment, packet: PacketId(1) });
        if drain {
            self.drain();
        }
    }

    fn leaves(&mut self, text: &str, line: &str) {
        let (expected, reason) = text.split_once('|').unwrap_or_else(|| panic!("{line:?} gives no reason"));
        let departure = self.out.pop_front();
        let departure = departure.unwrap_or_else(|| panic!("at {}: nothing was sent, expected {line:?}", self.now));
        assert_eq!(departure.ends, self.ends, "it was sent to somebody else");
        let origins = self.ours();
        let (expected, mentions) = notation::read(expected, origins);
        let shown = |segment: &crate::tcp::Segment, reason: &str| {
            format!("{} | {reason}", notation::write(segment, origins, mentions))
        };
        let (sent, why) = (&departure.segment, departure.why.reason.name());
        assert_eq!(shown(sent, why), shown(&expected, reason.trim()), "sent, and expected, at {}", self.now);
        assert_eq!(sent.payload.concat(), expected.payload.concat(), "the octets of {line:?}");
    }

    fn drain(&mut self) {
        while let Some(departure) = self.engine.transmit(self.now) {
            if departure.segment.flags.syn() && departure.ends == self.ends {
                self.iss = departure.segment.seq;
            }
            if let (None, Some((value, _))) = (self.ts_base, departure.segment.options.timestamps) {
                self.ts_base = Some(value.wrapping_sub(self.millis()));
            }
            self.out.push_back(departure);
        }
        self.engine.drain_events(&mut self.events);
        self.engine.drain_journal(&mut self.journal);
    }

    fn millis(&self) -> u32 {
        (self.now.as_nanos() / 1_000_000) as u32
    }

    fn assert_silent(&self, when: &str) {
        if let Some(departure) = self.out.front() {
            let shown = notation::write(&departure.segment, self.ours(), Mentions::default());
            panic!("at {}, {when}, but this was sent: {shown} | {}", self.now, departure.why.reason.name());
        }
    }

    fn ours(&self) -> Origins {
        Origins { seq: self.iss, ack: self.peer_iss, ts_value: self.ts_base.unwrap_or(0), ts_echo: 0 }
    }

    fn peers(&self) -> Origins {
        Origins { seq: self.peer_iss, ack: self.iss, ts_value: 0, ts_echo: self.ts_base.unwrap_or(0) }
    }

    pub(super) fn socket(&self) -> SocketId {
        self.connection.expect("there is a connection")
    }

    /// The application sends the next octets of its stream; all must find room.
    pub(super) fn write(&mut self, length: usize) {
        assert_eq!(self.try_write(length), Ok(length));
    }

    pub(super) fn try_write(&mut self, length: usize) -> Result<usize, SocketError> {
        let data = octets(self.written, length);
        let taken = self.engine.send(self.now, self.socket(), &data);
        self.written += *taken.as_ref().unwrap_or(&0) as u64;
        self.drain();
        taken
    }

    pub(super) fn write_urgent(&mut self, length: usize) {
        let data = octets(self.written, length);
        assert_eq!(self.engine.send_urgent(self.now, self.socket(), &data), Ok(length));
        self.written += length as u64;
        self.drain();
    }

    /// The application reads all that is there, and it must be the peer's stream; returns how many octets.
    pub(super) fn read(&mut self) -> usize {
        self.read_at_most(usize::MAX)
    }

    pub(super) fn read_at_most(&mut self, most: usize) -> usize {
        let mut buffer = vec![0; most.min(1 << 20)];
        match self.try_read(&mut buffer) {
            Ok(taken) => taken.unwrap_or(0),
            Err(error) => panic!("reading failed: {error}"),
        }
    }

    /// As the engine answers it; what is read must be the peer's stream.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        let result = self.engine.receive_into(self.now, self.socket(), buffer);
        if let Ok(Some(taken)) = result {
            assert_eq!(buffer[..taken], octets(self.read, taken), "the stream from {} on", self.read);
            self.read += taken as u64;
        }
        self.drain();
        result
    }

    pub(super) fn shutdown(&mut self) {
        self.engine.shutdown(self.now, self.socket());
        self.drain();
    }

    pub(super) fn close(&mut self) {
        self.engine.close(self.now, self.socket());
        self.drain();
    }

    pub(super) fn abort(&mut self) {
        self.engine.abort(self.now, self.socket());
        self.drain();
    }

    pub(super) fn set(&mut self, option: SocketOption) {
        self.engine.set_option(self.now, self.socket(), option).expect("the socket is there");
        self.drain();
    }

    /// The network reports that the segment of ours at `seq` could not be delivered.
    pub(super) fn undelivered(&mut self, seq: i32, error: DeliveryError) {
        let seq = self.iss + seq as u32;
        self.engine.undelivered(self.now, &self.ends, seq, error, PacketId(2));
        self.drain();
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.engine.snapshot(self.socket()).expect("the connection is there")
    }

    /// The state; CLOSED when nothing is left of the connection.
    pub(super) fn state(&self) -> TcpState {
        self.engine.snapshot(self.socket()).map_or(TcpState::Closed, |snapshot| snapshot.state)
    }

    /// The congestion window in segments.
    pub(super) fn cwnd(&self) -> u32 {
        let snapshot = self.snapshot();
        snapshot.cwnd.expect("known") / u32::from(snapshot.snd_mss.expect("known"))
    }

    /// The slow-start threshold in segments.
    pub(super) fn ssthresh(&self) -> u32 {
        let snapshot = self.snapshot();
        snapshot.ssthresh.expect("known") / u32::from(snapshot.snd_mss.expect("known"))
    }

    pub(super) fn recovery(&self) -> Recovery {
        self.snapshot().recovery.expect("known")
    }

    pub(super) fn rto(&self) -> Duration {
        self.snapshot().rto.expect("known")
    }

    /// What applications were told since this was last asked.
    pub(super) fn events(&mut self) -> Vec<SocketEvent> {
        self.drain();
        std::mem::take(&mut self.events)
    }

    /// What the journal says since this or [`Wire::drops`] was last asked.
    pub(super) fn journal(&mut self) -> Vec<Event> {
        self.drain();
        std::mem::take(&mut self.journal)
    }

    /// Why segments were refused since this or [`Wire::journal`] was last asked.
    pub(super) fn drops(&mut self) -> Vec<DropReason> {
        let dropped = |event| match event {
            Event::PacketDropped { reason, .. } => Some(reason),
            _ => None,
        };
        self.journal().into_iter().filter_map(dropped).collect()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_silent("the test ends here");
        }
    }
}

pub(super) fn ends(local: &str, remote: &str) -> Ends {
    let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
    Ends { local: address(local), remote: address(remote) }
}
