//! Why a program could not do its work.
//!
//! Each text is whole: what failed, to whom, what the system said, what to do next. A server does not end because one
//! connection broke; it reports that as a line on its error output and serves on.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::host::ExecError;

/// Why a program could not do its work.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// A destination names a node that the lab does not have.
    #[error("no node is named `{name}`: the nodes are {known}; correct the name, or write an address")]
    UnknownNode {
        /// The name.
        name: String,
        /// The names there are, joined with commas.
        known: String,
    },
    /// The host has no address that fits.
    #[error("`{program}` needs an {family} address and its node has none: give the node one in the lab file")]
    NoAddress {
        /// The program.
        program: &'static str,
        /// `IPv4`, `IPv6`, or `IP` when it has none at all.
        family: &'static str,
    },
    /// A server could not listen.
    #[error("`{program}` cannot listen on {local}: {error}{}", listen_advice(error))]
    Listen {
        /// The program.
        program: &'static str,
        /// Where.
        local: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A client could not connect.
    #[error("`{program}` cannot connect to {remote}: {error}{}", connect_advice(error))]
    Connect {
        /// The program.
        program: &'static str,
        /// To whom: name and address.
        remote: String,
        /// What the system said.
        error: io::Error,
    },
    /// A connection or a socket broke while in use.
    #[error("`{program}` was {doing} {peer} when the connection broke: {error}{}", broken_advice(error))]
    Broken {
        /// The program.
        program: &'static str,
        /// `sending to`, `receiving from`.
        doing: &'static str,
        /// The other end.
        peer: String,
        /// What the system said.
        error: io::Error,
    },
    /// The other end did not keep to the protocol.
    #[error("`{program}` does not understand {peer}: {detail}; does the program that matches it run there?")]
    Protocol {
        /// The program.
        program: &'static str,
        /// The other end.
        peer: String,
        /// What is wrong.
        detail: String,
    },
    /// TLS was not agreed on.
    #[error("`{program}` and {peer} do not come to terms about TLS: {detail}")]
    Tls {
        /// The program.
        program: &'static str,
        /// The other end.
        peer: String,
        /// Why.
        detail: String,
    },
    /// A server was asked, and did not answer in time.
    #[error("`{program}` has asked {peer} {tries} times and got no answer; look in the capture where the packets end")]
    NoAnswer {
        /// The program.
        program: &'static str,
        /// The other end.
        peer: String,
        /// How often it asked.
        tries: u32,
    },
    /// A real program was to run on a userspace node.
    #[error("`{command}` is a real program and needs a kernel: make the node `linux`, or name a built-in twin")]
    NotLinux {
        /// The program with its arguments.
        command: String,
    },
    /// A real program could not be started.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A real program ended, and not well.
    #[error("`{command}` failed: {exit}{}", quoted(last_words))]
    Failed {
        /// The program with its arguments.
        command: String,
        /// How it ended: `it returned 7`.
        exit: String,
        /// Its last line on standard error; empty when there was none.
        last_words: String,
    },
    /// The holder ended, and the real program with it.
    #[error("`{command}` was lost: {error}")]
    Lost {
        /// The program with its arguments.
        command: String,
        /// What the system said.
        error: io::Error,
    },
    /// The program is not in this build.
    #[error("`{program}` is not in this build: build wireglass with the feature `{feature}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
}

fn quoted(last_words: &str) -> String {
    if last_words.is_empty() { String::new() } else { format!("; its last words were: {last_words}") }
}

fn listen_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program of this node holds that port: give each its own",
        io::ErrorKind::AddrNotAvailable => "; the node does not have that address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need privilege there: choose a higher one",
        _ => "",
    }
}

fn connect_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "; nothing listens there: start its server in an earlier step",
        io::ErrorKind::TimedOut => "; no answer came: look in the capture where the packets end",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "; no link of the lab leads there: look at the links and the routes"
        }
        _ => "",
    }
}

fn broken_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            "; the other end gave up: look for its RST in the capture"
        }
        io::ErrorKind::TimedOut => "; what was sent is not acknowledged: look in the capture where the packets end",
        io::ErrorKind::UnexpectedEof => "; the other end closed too early",
        _ => "",
    }
}
