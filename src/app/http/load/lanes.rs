//! Connections that are kept: each carries one request at a time, the next one waits for its answer (RFC 9112 §9.3).

use std::cell::{Cell, RefCell};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::exchange::{Answer, exchange};
use crate::app::channel::Dialer;
use crate::app::http::{connection, misunderstood};
use crate::app::run::Running;
use crate::app::{ProgramError, Url};

/// Where requests go on one connection.
type Sender = SendRequest<Full<Bytes>>;

/// Kept connections, which take requests in turn. Each is opened by its first request, and again when it was closed.
pub(super) struct Lanes {
    lanes: Vec<Mutex<Option<Sender>>>,
    /// Whose turn it is.
    turn: Cell<usize>,
    /// The work for each connection.
    at_work: RefCell<JoinSet<()>>,
}

impl Lanes {
    /// So many, none of them open yet.
    pub(super) fn new(count: u32) -> Lanes {
        Lanes { lanes: (0..count).map(|_| Mutex::default()).collect(), turn: Cell::new(0), at_work: RefCell::default() }
    }

    /// Sends `request` over the connection whose turn it is, and reads the answer. Where none is kept it has its own.
    ///
    /// # Errors
    /// What the system or the peer did wrong.
    pub(super) async fn exchange(
        &self,
        running: &Running,
        dialer: &Dialer,
        url: &Url,
        request: Request<Bytes>,
    ) -> Result<Answer, ProgramError> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let Some(lane) = self.lanes.get(turn % self.lanes.len().max(1)) else {
            return exchange(running, dialer, url, request).await;
        };
        let mut kept = lane.lock().await;
        self.talk(&mut kept, running, dialer, url, request).await
    }

    /// Who gives up in the middle takes the connection with him: an answer may still be on its way.
    async fn talk(
        &self,
        kept: &mut Option<Sender>,
        running: &Running,
        dialer: &Dialer,
        url: &Url,
        request: Request<Bytes>,
    ) -> Result<Answer, ProgramError> {
        let wrong = |error| misunderstood(running, &url.destination, &error);
        let mut sender = match kept.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.open(running, dialer, url).await?,
        };
        sender.ready().await.map_err(wrong)?;
        let (head, body) = sender.send_request(request.map(Full::new)).await.map_err(wrong)?.into_parts();
        let body = connection::whole(body).await;
        if body.is_some() {
            *kept = Some(sender);
        }
        Ok((head.status, body))
    }

    async fn open(&self, running: &Running, dialer: &Dialer, url: &Url) -> Result<Sender, ProgramError> {
        let channel = dialer.dial(running, url).await?;
        let opened = connection::builder().handshake(TokioIo::new(channel)).await;
        let (sender, conversation) = opened.map_err(|error| misunderstood(running, &url.destination, &error))?;
        let mut at_work = self.at_work.borrow_mut();
        while at_work.try_join_next().is_some() {}
        at_work.spawn_local(async {
            // Whatever ends it ends its request, too, which says so itself.
            let Ok(parts) = conversation.without_shutdown().await else { return };
            let mut channel = parts.io.into_inner();
            if channel.shutdown().await.is_ok() {
                let _ = tokio::io::copy(&mut channel, &mut tokio::io::sink()).await;
            }
        });
        Ok(sender)
    }

    /// Closes all of them, and waits until the peer has, too.
    pub(super) async fn close(&self) {
        for lane in &self.lanes {
            drop(lane.lock().await.take());
        }
        let mut at_work = self.at_work.take();
        while at_work.join_next().await.is_some() {}
    }
}
