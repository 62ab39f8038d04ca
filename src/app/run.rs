//! Running a built-in program: from its parameters to its outcome.
//!
//! What lives here: the way in ([`run`]), and what all programs share: opening, listening, serving, reporting. What
//! does not: what each program does (`transfer`, `messages`, `http`), and which there are (`program`).
//!
//! Each connection of a server is a local task, so that one that hangs does not stop the others; all of them belong to
//! the server's future and end with it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::task::{JoinError, JoinSet};

use super::host::{Datagram, Listener};
use super::{Destination, Host, Program, ProgramError, Resolver, Stream};
use crate::journal::{ProgramEvent, TransportKind};
use crate::rng::Rng;

/// Runs `program` on `host`. Must be called inside a [`tokio::task::LocalSet`].
///
/// A client ends by itself, and may call `ready` when others can follow. A server calls it once it listens, and serves until
/// the future is dropped: its connections end with it. `seed` gives the data that the program sends.
///
/// The journal gets `started` first and, when the program ends by itself, `ended` last.
///
/// # Errors
/// What kept the program from its work; the journal's `ended` says it too.
pub async fn run(
    program: &Program,
    host: &Host,
    resolver: &Resolver,
    seed: u64,
    ready: impl FnOnce(),
) -> Result<(), ProgramError> {
    let running = Running { program: program.name(), host: host.clone(), resolver: resolver.clone(), seed };
    running.report(ProgramEvent::Started);
    let outcome = program.play(&running, ready).await;
    let detail = outcome.as_ref().err().map(ProgramError::to_string).unwrap_or_default();
    running.report(ProgramEvent::Ended { ok: outcome.is_ok(), detail });
    outcome
}

/// A program on its host.
#[derive(Clone)]
pub(super) struct Running {
    /// Its name.
    pub(super) program: &'static str,
    /// Where it runs.
    pub(super) host: Host,
    /// The lab's names.
    pub(super) resolver: Resolver,
    seed: u64,
}

impl Running {
    /// A program that tests put together themselves.
    #[cfg(test)]
    pub(super) fn for_tests(program: &'static str, host: &Host, resolver: &Resolver, seed: u64) -> Running {
        Running { program, host: host.clone(), resolver: resolver.clone(), seed }
    }

    /// Tells the journal.
    pub(super) fn report(&self, event: ProgramEvent) {
        self.host.report(self.program, event);
    }

    /// Tells the journal of a trouble that does not end the program.
    pub(super) fn complain(&self, trouble: impl ToString) {
        self.report(ProgramEvent::Output { line: trouble.to_string(), is_error: true });
    }

    /// The data it sends: the same for each connection, different from that of every other kind of program.
    pub(super) fn data(&self) -> Rng {
        Rng::derive(self.seed, self.program)
    }

    /// Turns what the system said about the connection with `peer` into the program's error.
    pub(super) fn broken(&self, doing: &'static str, peer: impl ToString) -> impl FnOnce(io::Error) -> ProgramError {
        let (program, peer) = (self.program, peer.to_string());
        move |error| ProgramError::Broken { program, doing, peer, error }
    }

    /// Opens a connection to `to`.
    pub(super) async fn connect(&self, to: &Destination) -> Result<Stream, ProgramError> {
        let remote = self.resolver.resolve(to)?;
        let failed = |error| ProgramError::Connect { program: self.program, remote: named(to, remote), error };
        let stream = self.host.connect(remote).await.map_err(failed)?;
        let local = stream.local_addr().map_err(self.broken("opening a connection to", remote))?;
        self.report(ProgramEvent::Connected { local, remote });
        Ok(stream)
    }

    /// A UDP socket from which `remote` can be reached.
    pub(super) async fn bind_udp_towards(&self, remote: SocketAddr) -> Result<Datagram, ProgramError> {
        let family = if remote.is_ipv6() { "IPv6" } else { "IPv4" };
        let own = self.host.addresses().iter().find(|address| address.is_ipv6() == remote.is_ipv6());
        let own = own.ok_or(ProgramError::NoAddress { program: self.program, family })?;
        self.bind_udp(SocketAddr::new(*own, 0)).await
    }

    async fn bind_udp(&self, local: SocketAddr) -> Result<Datagram, ProgramError> {
        let failed = |error| ProgramError::Listen { program: self.program, local, error };
        self.host.bind_udp(local).await.map_err(failed)
    }

    /// Listens on `port` of each of the host's addresses and has `serve` take care of each connection, until dropped.
    pub(super) async fn serve_streams<F>(
        &self,
        port: u16,
        ready: impl FnOnce(),
        serve: impl Fn(Running, Stream, SocketAddr) -> F + Clone + 'static,
    ) -> Result<(), ProgramError>
    where
        F: Future<Output = Result<(), ProgramError>> + 'static,
    {
        let mut loops = JoinSet::new();
        for listener in self.listen(port, Host::BACKLOG).await? {
            loops.spawn_local(accept_each(self.clone(), listener, serve.clone()));
        }
        ready();
        first_end(loops).await
    }

    /// Listens on `port` of each of the host's addresses; `backlog` connections and one more may wait on each.
    pub(super) async fn listen(&self, port: u16, backlog: usize) -> Result<Vec<Listener>, ProgramError> {
        let mut listeners = Vec::new();
        for address in self.own_addresses()? {
            let asked = SocketAddr::new(*address, port);
            let failed = |error| ProgramError::Listen { program: self.program, local: asked, error };
            let listener = self.host.listen_with(asked, backlog).await.map_err(failed)?;
            let local = listener.local_addr().map_err(failed)?;
            self.report(ProgramEvent::Listening { over: TransportKind::Tcp, local });
            listeners.push(listener);
        }
        Ok(listeners)
    }

    /// Opens a UDP socket on `port` of each of the host's addresses and has `serve` take care of each, until dropped.
    pub(super) async fn serve_datagrams<F>(
        &self,
        port: u16,
        ready: impl FnOnce(),
        serve: impl Fn(Running, Datagram) -> F,
    ) -> Result<(), ProgramError>
    where
        F: Future<Output = Result<(), ProgramError>> + 'static,
    {
        let mut loops = JoinSet::new();
        for address in self.own_addresses()? {
            let asked = SocketAddr::new(*address, port);
            let socket = self.bind_udp(asked).await?;
            let failed = |error| ProgramError::Listen { program: self.program, local: asked, error };
            let local = socket.local_addr().map_err(failed)?;
            self.report(ProgramEvent::Listening { over: TransportKind::Udp, local });
            loops.spawn_local(serve(self.clone(), socket));
        }
        ready();
        first_end(loops).await
    }

    fn own_addresses(&self) -> Result<&[IpAddr], ProgramError> {
        match self.host.addresses() {
            [] => Err(ProgramError::NoAddress { program: self.program, family: "IP" }),
            addresses => Ok(addresses),
        }
    }
}

/// `server:9000 (10.0.0.2:9000)`; an address once only.
pub(super) fn named(to: &Destination, remote: SocketAddr) -> String {
    let (written, address) = (to.to_string(), remote.to_string());
    if written == address { written } else { format!("{written} ({address})") }
}

/// Accepts connections for ever and serves them side by side.
async fn accept_each<F>(
    running: Running,
    listener: Listener,
    serve: impl Fn(Running, Stream, SocketAddr) -> F,
) -> Result<(), ProgramError>
where
    F: Future<Output = Result<(), ProgramError>> + 'static,
{
    let local = listener.local_addr().map_err(running.broken("listening on", "its own port"))?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => {
                if let Err(error) = served(ended) {
                    running.complain(error);
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().unwrap_or(local);
                    running.report(ProgramEvent::Accepted { local, remote });
                    connections.spawn_local(serve(running.clone(), stream, remote));
                }
                // The client gave up before it was its turn (accept(2)): the next one may not.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(running.broken("accepting connections on", local)(error)),
            },
        }
    }
}

/// The outcome of the first of a server's loops that ends; none does unless its socket breaks.
async fn first_end(mut loops: JoinSet<Result<(), ProgramError>>) -> Result<(), ProgramError> {
    match loops.join_next().await {
        Some(ended) => served(ended),
        None => Ok(()),
    }
}

/// The outcome of a task. A panic in it goes on in the server, as if there were no task.
pub(super) fn served(ended: Result<Result<(), ProgramError>, JoinError>) -> Result<(), ProgramError> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(outcome) => outcome,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Cancelled, which only the server's own end does.
        Err(Err(_)) => Ok(()),
    }
}
