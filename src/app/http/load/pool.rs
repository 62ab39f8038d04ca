//! A server's workers: each takes one connection from the backlog and has no eyes for another until that one is over.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::app::run::{Running, served};
use crate::app::{Listener, ProgramError, Stream};
use crate::journal::ProgramEvent;

/// Connections that are served side by side where nothing is said of workers.
const MOST_CONNECTIONS: usize = 10_000;

/// How many there are, and how many connections wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    /// `None` for a server that needs none.
    pub(super) workers: Option<u32>,
    /// Connections that wait to be accepted, and one more.
    pub(super) backlog: usize,
}

impl Pool {
    /// Listens on `port` and has a worker do `serve` with each connection, until dropped.
    pub(super) async fn serve<F>(
        self,
        running: &Running,
        port: u16,
        ready: impl FnOnce(),
        serve: impl Fn(Running, Stream, SocketAddr) -> F,
    ) -> Result<(), ProgramError>
    where
        F: Future<Output = Result<(), ProgramError>> + 'static,
    {
        let listeners = running.listen(port, self.backlog).await?;
        ready();
        let most = self.workers.and_then(|count| usize::try_from(count).ok()).unwrap_or(MOST_CONNECTIONS);
        let idle = Arc::new(Semaphore::new(most));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(ended) = connections.join_next() => {
                    if let Err(error) = served(ended) {
                        running.complain(error);
                    }
                }
                accepted = next(&idle, &listeners) => match accepted {
                    Ok((worker, stream, remote)) => {
                        let local = stream.local_addr().unwrap_or(SocketAddr::new(remote.ip(), port));
                        running.report(ProgramEvent::Accepted { local, remote });
                        let work = serve(running.clone(), stream, remote);
                        connections.spawn_local(async move {
                            let outcome = work.await;
                            drop(worker);
                            outcome
                        });
                    }
                    // The client gave up before it was its turn (accept(2)): the next one may not.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => return Err(running.broken("accepting connections on port", port)(error)),
                },
            }
        }
    }
}

/// The next connection, as soon as a worker is idle: until then it stays in the backlog.
async fn next(idle: &Arc<Semaphore>, listeners: &[Listener]) -> io::Result<(OwnedSemaphorePermit, Stream, SocketAddr)> {
    let worker = idle.clone().acquire_owned().await.map_err(io::Error::other)?;
    let mut waiting: Vec<_> = listeners.iter().map(|listener| Box::pin(listener.accept())).collect();
    let first = poll_fn(|context| {
        let ready = waiting.iter_mut().find_map(|accept| match Pin::new(accept).poll(context) {
            Poll::Ready(accepted) => Some(accepted),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    });
    let (stream, remote) = first.await?;
    Ok((worker, stream, remote))
}
