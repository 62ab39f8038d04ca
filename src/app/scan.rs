//! `port-scan`: which ports can be reached, and what stands in the way of the others.
//!
//! ```text
//!   how      what is sent     a SYN,ACK   a RST        an ICMP error   nothing
//!   connect  a SYN            open        closed       unreachable     filtered
//!   ack      an ACK alone     -           unfiltered   filtered        filtered
//! ```
//!
//! The words are nmap's (`-sT`, `-sA`). A program sees less than a capture does: whether a RST comes from the host or from a
//! filter in its name, and why a router calls a host unreachable, only packets show.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::program::Play;
use super::run::{Running, named};
use super::{Destination, ProgramError, Span, Stream};
use crate::journal::ProgramEvent;

/// `port-scan`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct PortScan {
    to: Vec<Destination>,
    how: How,
    timeout: Span,
    summary: Vec<String>,
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The ports, asked one after the other.
    to: Vec<Destination>,
    #[serde(default)]
    how: How,
    /// How long an answer is waited for.
    #[serde(default = "one_second")]
    timeout: Span,
    /// What the ports are called in the JSON that is printed in the end, each as allowed or blocked; left out, none is.
    #[serde(default)]
    summary: Vec<String>,
}

/// What is sent to a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// A request to connect, as every client sends it; what opens is closed at once.
    #[default]
    Connect,
    /// An ACK that belongs to no connection.
    Ack,
}

/// What is known of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Somebody listens.
    Open,
    /// Somebody says that nobody listens.
    Closed,
    /// Somebody on the way says that it cannot be reached.
    Unreachable,
    /// A host has answered what belongs to no connection.
    Unfiltered,
    /// Nobody says anything.
    Filtered,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Closed => "closed",
            State::Unreachable => "unreachable",
            State::Unfiltered => "unfiltered",
            State::Filtered => "filtered",
        }
    }

    const fn summary(self) -> &'static str {
        match self {
            State::Open | State::Unfiltered => "allowed",
            State::Closed | State::Unreachable | State::Filtered => "blocked",
        }
    }
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

impl TryFrom<Written> for PortScan {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<PortScan, &'static str> {
        let Written { to, how, timeout, summary } = written;
        if to.is_empty() {
            return Err("a port-scan asks at least one port: write `to = [\"server:80\"]`");
        }
        if !summary.is_empty() && summary.len() != to.len() {
            return Err("a `summary` has a name for each port in `to`, in the same order");
        }
        Ok(PortScan { to, how, timeout, summary })
    }
}

impl Play for PortScan {
    const NAME: &'static str = "port-scan";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        self.to.iter().collect()
    }

    /// A port that is not open is an answer, too.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let mut states = Vec::with_capacity(self.to.len());
        for port in &self.to {
            let (state, detail) = match self.how {
                How::Connect => self.connect(running, port).await?,
                How::Ack => self.ask(running, port).await?,
            };
            let what = format!("port {port}");
            running.report(ProgramEvent::Decision { what, choice: state.name().to_owned(), detail });
            states.push(state);
        }
        if !self.summary.is_empty() {
            self.print(running, &states);
        }
        Ok(())
    }
}

impl PortScan {
    /// Opens a connection and closes it.
    async fn connect(&self, running: &Running, port: &Destination) -> Result<(State, String), ProgramError> {
        let remote = running.resolver.resolve(port)?;
        match timeout(self.timeout.duration(), running.host.connect(remote)).await {
            Ok(Ok(stream)) => {
                if timeout(self.timeout.duration(), close(stream)).await.is_err() {
                    running.complain(format!("{port} is open, and does not close"));
                }
                Ok((State::Open, "a SYN,ACK came".to_owned()))
            }
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Ok((State::Closed, "a RST came".to_owned())),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    Ok((State::Unreachable, error.to_string()))
                }
                io::ErrorKind::TimedOut => Ok((State::Filtered, error.to_string())),
                _ => Err(ProgramError::Connect { program: running.program, remote: named(port, remote), error }),
            },
            Err(_) => Ok(self.silence()),
        }
    }

    /// Sends an ACK and waits for the reset that every host answers it with.
    async fn ask(&self, running: &Running, port: &Destination) -> Result<(State, String), ProgramError> {
        let remote = running.resolver.resolve(port)?;
        let failed = |error| ProgramError::Connect { program: running.program, remote: named(port, remote), error };
        let stray = running.host.send_stray(remote).map_err(failed)?;
        match timeout(self.timeout.duration(), stray.is_refused()).await {
            Ok(()) => Ok((State::Unfiltered, "a RST came".to_owned())),
            Err(_) => Ok(self.silence()),
        }
    }

    fn silence(&self) -> (State, String) {
        (State::Filtered, format!("no answer within {:?}", self.timeout.duration()))
    }

    /// Prints what became of each port, as JSON.
    fn print(&self, running: &Running, states: &[State]) {
        let told = self.summary.iter().zip(states).map(|(name, state)| {
            // A name is any text; its JSON form is quoted.
            format!("{}: \"{}\"", serde_json::Value::from(name.as_str()), state.summary())
        });
        for line in format!("{{\n{}\n}}", told.collect::<Vec<_>>().join(",\n")).lines() {
            running.report(ProgramEvent::Output { line: line.to_owned(), is_error: false });
        }
    }
}

/// Closes a connection in order; what the peer does wrong then is not the scanner's business.
async fn close(mut stream: Stream) {
    if stream.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::tests::{CLIENT, Seen, pair, wire};
    use crate::link::{Action, PipeConfig, Rule};

    fn decisions(seen: &Seen) -> Vec<(String, String)> {
        let reports = seen.reports(CLIENT).into_iter();
        reports
            .filter_map(|report| match report {
                ProgramEvent::Decision { what, choice, .. } => Some((what, choice)),
                _ => None,
            })
            .collect()
    }

    fn silent() -> PipeConfig {
        let rule = Rule { id: "all".to_owned(), when: Arc::new(|_| true), nth: Vec::new(), action: Action::Drop };
        PipeConfig { rules: vec![rule], ..wire() }
    }

    const BOTH: &str =
        r#"{ port-scan = { to = ["server:9000", "server:9001"], summary = ["theOpenOne", "theOther"] } }"#;

    #[test]
    fn an_open_port_is_told_from_a_closed_one_and_from_silence() {
        let state = |name: &str, state: &str| (format!("port server:{name}"), state.to_owned());
        let (outcome, seen) = pair(1, wire(), "{ sink = { port = 9000 } }", BOTH);
        outcome.expect("any answer will do");
        assert_eq!(decisions(&seen), [state("9000", "open"), state("9001", "closed")]);
        let printed: Vec<String> = seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect();
        assert_eq!(printed, ["{", "\"theOpenOne\": \"allowed\",", "\"theOther\": \"blocked\"", "}"]);

        let (outcome, seen) = pair(1, silent(), "{ sink = { port = 9000 } }", BOTH);
        outcome.expect("silence is an answer, too");
        assert_eq!(decisions(&seen), [state("9000", "filtered"), state("9001", "filtered")]);
    }

    #[test]
    fn an_ack_alone_is_refused_by_a_host_whether_its_port_is_open_or_not() {
        let client = r#"{ port-scan = { to = ["server:9000", "server:9001"], how = "ack" } }"#;
        let (outcome, seen) = pair(1, wire(), "{ sink = { port = 9000 } }", client);
        outcome.expect("any answer will do");
        assert!(decisions(&seen).iter().all(|(_, state)| state == "unfiltered"), "{:?}", decisions(&seen));
        let sent: Vec<u8> = seen.segments(CLIENT).map(|(_, tcp)| tcp.flags.0).collect();
        assert_eq!(sent, [0x10, 0x10], "an ACK each, and nothing in answer to the resets");

        let (_, seen) = pair(1, silent(), "{ sink = { port = 9000 } }", client);
        assert!(decisions(&seen).iter().all(|(_, state)| state == "filtered"));
    }

    #[test]
    fn settings_that_do_not_fit_together_are_refused() {
        let read = |toml: &str| toml::from_str::<PortScan>(toml).map_err(|error| error.to_string());
        assert!(read("to = []").is_err_and(|error| error.contains("at least one port")));
        let unnamed = r#"to = ["server:1", "server:2"]
            summary = ["one"]"#;
        assert!(read(unnamed).is_err_and(|error| error.contains("a name for each port")));
    }
}
