//! The story of a run: one event after the other.

use super::Options;
use super::calls::Descriptors;
use super::clock::Sleeper;
use super::settings::Settings;
use super::time::Due;
use super::transcript::{Happening, Transcript};
use super::verdict::{Cause, Failure, Outcome, Verdict};
use super::world::{Restless, World};
use crate::capture::Record;
use crate::drill::language::python::{self, CodeError, Variables};
use crate::drill::language::script::{At, Body, Event, PacketSpec, Script, What};
use crate::drill::language::shell::{Directive, directives};
use crate::drill::packets::build::build;
use crate::drill::packets::compare::Exactness;
use crate::drill::packets::connections::Connections;
use crate::drill::packets::mapping::{Connection, UnknownEcho};
use crate::drill::posix::{Posix, SysctlError, Sysctls, names};
use crate::journal::TcpState;
use crate::packet::Medium;
use crate::stack::{Interface, StackConfig, TcpConfig};
use crate::time::Instant;

/// Seeds the stack's initial sequence numbers and ports: the same in every run, since no script can know them.
const SEED: u64 = 0x7761_7265;

/// Sysctls of other systems that only shape what is not compared by meaning (sizes of buffers), or that set a time of which
/// every script with an interest in it checks the packets.
const BEYOND_MEANING: &[&str] =
    &["kern.ipc.maxsockbuf", "net.inet.tcp.keepinit", "net.inet.tcp.rexmit_slop", "net.inet.tcp.tolerate_missing_ts"];

/// Why a run ends before its script.
#[derive(Debug)]
pub(super) enum Stop {
    /// An event, by its place in the script, was not as it says.
    Failed(usize, Cause),
    /// An event asks for what cannot be done.
    Unsupported(usize, String),
}

/// What a step of a run ends with.
pub(super) type Step = Result<(), Stop>;

/// A script on its way.
pub(super) struct Runner<'s> {
    pub(super) script: &'s Script,
    pub(super) settings: Settings,
    pub(super) exactness: Exactness,
    pub(super) world: World,
    pub(super) connections: Connections,
    pub(super) descriptors: Descriptors,
    /// The one call that sleeps.
    pub(super) sleeper: Option<Sleeper>,
    /// The event under way, by its place in the script.
    pub(super) current: usize,
    /// When the previous event was due, and whether it was an inbound packet.
    pub(super) previous: Option<(Instant, bool)>,
    /// Wrong events that the script declares not fatal.
    pub(super) forgiven: Vec<Failure>,
    /// What the script's code has assigned.
    variables: Variables,
}

/// Runs a script from its beginning to its end or its first failure.
pub(super) fn run(script: &Script, options: &Options) -> (Outcome, Vec<Record>) {
    let settings = match Settings::of(&script.options) {
        Ok(settings) => settings,
        Err((line, error)) => return refused(line, error.to_string()),
    };
    if let Some((line, reason)) = script.unsupported().next() {
        return refused(line, reason.to_owned());
    }
    let mut runner = Runner::new(script, settings, options);
    let stop = runner.all_events().and_then(|()| runner.wait_for_sleeper(true));
    runner.finish(stop)
}

/// The outcome of a script that cannot even begin.
fn refused(line: u32, reason: String) -> (Outcome, Vec<Record>) {
    let verdict = Verdict::Unsupported { line, reason };
    let outcome = Outcome { verdict, transcript: Vec::new(), ended: Instant::ZERO, events: 0, forgiven: Vec::new() };
    (outcome, Vec::new())
}

impl<'s> Runner<'s> {
    fn new(script: &'s Script, settings: Settings, options: &Options) -> Runner<'s> {
        let config = StackConfig {
            interface: Interface {
                medium: Medium::Ip,
                mac: [2, 0, 0, 0, 0, 1],
                addresses: vec![(settings.local, settings.prefix)],
                gateways: vec![settings.gateway],
                mtu: settings.mtu,
            },
            seed: SEED,
            tcp: TcpConfig::default(),
        };
        let posix = Posix::new(options.stack.make(&config, Instant::ZERO), Sysctls::default());
        Runner {
            script,
            exactness: options.exactness,
            world: World::new(posix, Transcript::new(options.whole_transcript), options.capture),
            connections: Connections::new(settings.ends()),
            settings,
            descriptors: Descriptors::default(),
            sleeper: None,
            current: 0,
            previous: None,
            forgiven: Vec::new(),
            variables: Variables::default(),
        }
    }

    fn all_events(&mut self) -> Step {
        for index in 0..self.script.events.len() {
            self.current = index;
            self.event(&self.script.events[index])?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Step {
        let is_inbound = matches!(event.what, What::Inject(_));
        let base = match self.previous {
            // So that a burst keeps its own rhythm.
            Some((due, true)) if is_inbound => due,
            _ => self.world.now(),
        };
        let due = Due::of(event.at, base);
        let earliest = due.earliest(self.world.now());
        self.check_order(event, earliest)?;
        match &event.what {
            What::Inject(packet) => self.on_time(due).and_then(|()| self.inject(packet)),
            What::Expect(packet) => self.expect(packet, due),
            What::Call(call) => self.call(event, call, due, base),
            What::Shell(command) => self.on_time(due).and_then(|()| self.shell(command)),
            What::Code(text) => self.on_time(due).and_then(|()| self.code(text)),
            What::Unsupported(reason) => Err(self.unsupported(reason)),
        }?;
        if event.at != At::Start {
            self.previous = Some((earliest, is_inbound));
        }
        Ok(())
    }

    /// Scripts begin at 0, and their absolute times never go back.
    fn check_order(&self, event: &Event, due: Instant) -> Step {
        let is_absolute = |at: At| matches!(at, At::Absolute(_) | At::AbsoluteRange(..));
        match self.previous {
            None if event.at != At::Start && due != Instant::ZERO => {
                Err(self.wrong_script("the first event of a script is at time 0"))
            }
            Some((previous, _)) if due < previous && is_absolute(event.at) => {
                let before = self.current.checked_sub(1).and_then(|index| self.script.events.get(index));
                if before.is_some_and(|before| is_absolute(before.at)) {
                    return Err(self.wrong_script("time goes backward here"));
                }
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Waits for an event's time; it is too late when an earlier event took too long.
    pub(super) fn on_time(&mut self, due: Due) -> Step {
        self.advance_to(due.earliest(self.world.now()))?;
        self.check_time("the event", due)
    }

    pub(super) fn check_time(&self, what: &'static str, due: Due) -> Step {
        let actual = self.world.now();
        let tolerance = self.tolerance(due);
        if due.is_met(actual, tolerance) {
            return Ok(());
        }
        Err(self.failed(Cause::Time { what, due, actual, tolerance }))
    }

    /// What is forgiven the event under way.
    pub(super) fn tolerance(&self, due: Due) -> std::time::Duration {
        let previous = self.previous.map(|(previous, _)| previous);
        self.settings.tolerance.after(previous, due.earliest(self.world.now()))
    }

    fn inject(&mut self, packet: &PacketSpec) -> Step {
        let unknown = match self.exactness {
            Exactness::Strict if !self.settings.echo_is_scaled => UnknownEcho::Refused,
            Exactness::Strict | Exactness::ByMeaning => UnknownEcho::Scaled,
        };
        let Some(connection) = self.connections.takes(packet) else {
            return Err(self.wrong_script("there is no connection that this packet could belong to"));
        };
        let mut wire = packet.clone();
        let mut position = 0;
        match (&packet.body, &mut wire.body) {
            (Body::Tcp(tcp), Body::Tcp(on_wire)) => match connection.to_wire(tcp, unknown) {
                Ok(mapped) => {
                    *on_wire = mapped;
                    position = Connection::position(tcp).unwrap_or(0);
                    if tcp.flags.urg() {
                        self.descriptors.lose_track();
                    }
                }
                Err(error) => return Err(self.wrong_script(&error.to_string())),
            },
            (Body::Icmp(icmp), Body::Icmp(on_wire)) => *on_wire = connection.icmp_to_wire(icmp),
            (Body::Tcp(_) | Body::Udp { .. } | Body::Icmp(_), _) => {}
        }
        let Some(route) = self.connections.under_test().and_then(|connection| connection.inbound()) else {
            return Err(self.wrong_script("the connection has no ends yet"));
        };
        match build(&wire, route, position, self.settings.mss) {
            Ok(built) => {
                self.world.transcript.tell(self.world.now(), Happening::In(Box::new(packet.clone())));
                self.world.inject(built);
                self.poke()
            }
            Err(error) => Err(self.wrong_script(&error.to_string())),
        }
    }

    fn shell(&mut self, command: &str) -> Step {
        for directive in directives(command) {
            match directive {
                Directive::Sysctl { name, value } => self.sysctl(&name, &value)?,
                Directive::ForgetPeers { .. } => self.world.posix.stack().forget_peers(),
                Directive::Ignore { .. } => {}
                Directive::Connections { state, port, count, command } => {
                    self.count(&state, port, count, &command)?;
                }
                Directive::Unsupported { command } => {
                    return Err(self.unsupported(&format!("the command `{command}`")));
                }
            }
        }
        Ok(())
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Step {
        match self.world.posix.sysctls().set(name, value) {
            Ok(()) => Ok(()),
            Err(SysctlError::Unknown(_))
                if self.exactness == Exactness::ByMeaning && BEYOND_MEANING.contains(&name) =>
            {
                Ok(())
            }
            Err(error) => Err(self.unsupported(&error.to_string())),
        }
    }

    /// So many connections, of this port if one is named, must be in this state.
    fn count(&mut self, state: &str, port: Option<u16>, count: u32, command: &str) -> Step {
        let Some(wanted) = freebsd_state(state) else {
            return Err(self.unsupported(&format!("the state {state} of `{command}`")));
        };
        let there = self.world.count(wanted, port);
        if u32::try_from(there) == Ok(count) {
            return Ok(());
        }
        Err(self.failed(Cause::Result {
            what: format!("the number of connections in {state}"),
            expected: count.to_string(),
            actual: there.to_string(),
        }))
    }

    fn code(&mut self, text: &str) -> Step {
        let now = self.world.now();
        let script_fd = self.connections.under_test().and_then(|connection| connection.script_fd);
        let live = script_fd.and_then(|fd| self.descriptors.get(fd)).map(|descriptor| descriptor.live);
        let info = live.and_then(|fd| self.world.posix.tcp_info(now, fd));
        let Some(info) = info else {
            return Err(self.wrong_script("there is no open TCP socket whose state could be looked at"));
        };
        let names = |name: &str| match name.starts_with("tcpi_") {
            true => info.lookup(name).and_then(|value| i64::try_from(value).ok()),
            false => names::number(name).map(i64::from).or_else(|| freebsd_constant(name)),
        };
        match python::check_next(text, &names, &mut self.variables) {
            Ok(()) => Ok(()),
            Err(CodeError::Failed { failure, .. }) => {
                let values = failure.values.iter().map(|(name, value)| format!("{name} is {value}"));
                let found = values.collect::<Vec<_>>().join(", ");
                Err(self.failed(Cause::Assertion { statement: failure.expression, compared: failure.compared, found }))
            }
            Err(error @ CodeError::Unsupported { .. }) => Err(self.unsupported(&error.to_string())),
        }
    }

    /// The event under way was not as the script says.
    pub(super) fn failed(&self, cause: Cause) -> Stop {
        Stop::Failed(self.current, cause)
    }

    /// The event under way asks for what cannot be done.
    pub(super) fn unsupported(&self, reason: &str) -> Stop {
        Stop::Unsupported(self.current, reason.to_owned())
    }

    /// The script contradicts itself.
    pub(super) fn wrong_script(&self, reason: &str) -> Stop {
        self.failed(Cause::Script { reason: reason.to_owned() })
    }

    pub(super) fn restless(&self, _: Restless) -> Stop {
        self.failed(Cause::Restless)
    }

    /// An event's failure, to be told.
    pub(super) fn failure(&self, event: usize, cause: Cause) -> Failure {
        let event = self.script.events.get(event);
        Failure {
            line: event.map_or(0, |event| event.line),
            text: event.map_or_else(String::new, |event| event.text.clone()),
            at: self.world.now(),
            cause,
        }
    }

    fn finish(self, stop: Step) -> (Outcome, Vec<Record>) {
        let verdict = match stop {
            Ok(()) => Verdict::Passed,
            Err(Stop::Failed(event, cause)) => Verdict::Failed(Box::new(self.failure(event, cause))),
            Err(Stop::Unsupported(event, reason)) => {
                let line = self.script.events.get(event).map_or(0, |event| event.line);
                Verdict::Unsupported { line, reason }
            }
        };
        let events = match verdict {
            Verdict::Passed => self.script.events.len(),
            Verdict::Failed(_) | Verdict::Unsupported { .. } => self.current,
        };
        let ended = self.world.now();
        let (transcript, records) = self.world.finish();
        let transcript = transcript.finish(&self.connections);
        (Outcome { verdict, transcript, ended, events, forgiven: self.forgiven }, records)
    }
}

/// A state by the name that FreeBSD's `sockstat` has for it.
fn freebsd_state(name: &str) -> Option<TcpState> {
    Some(match name {
        "CLOSED" => TcpState::Closed,
        "LISTEN" => TcpState::Listen,
        "SYN_SENT" => TcpState::SynSent,
        "SYN_RCVD" => TcpState::SynReceived,
        "ESTABLISHED" => TcpState::Established,
        "CLOSE_WAIT" => TcpState::CloseWait,
        "FIN_WAIT_1" => TcpState::FinWait1,
        "FIN_WAIT_2" => TcpState::FinWait2,
        "CLOSING" => TcpState::Closing,
        "LAST_ACK" => TcpState::LastAck,
        "TIME_WAIT" => TcpState::TimeWait,
        _ => return None,
    })
}

/// A state by the name that code of FreeBSD's scripts has for it, as Linux counts them.
fn freebsd_constant(name: &str) -> Option<i64> {
    let number = match name.strip_prefix("TCPI_")? {
        "ESTABLISHED" => names::TCP_ESTABLISHED,
        "SYN_SENT" => names::TCP_SYN_SENT,
        "SYN_RECEIVED" => names::TCP_SYN_RECV,
        "FIN_WAIT_1" => names::TCP_FIN_WAIT1,
        "FIN_WAIT_2" => names::TCP_FIN_WAIT2,
        "TIME_WAIT" => names::TCP_TIME_WAIT,
        "CLOSED" => names::TCP_CLOSE,
        "CLOSE_WAIT" => names::TCP_CLOSE_WAIT,
        "LAST_ACK" => names::TCP_LAST_ACK,
        "LISTEN" => names::TCP_LISTEN,
        "CLOSING" => names::TCP_CLOSING,
        _ => return None,
    };
    Some(i64::from(number))
}
