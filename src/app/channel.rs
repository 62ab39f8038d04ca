//! What a program of HTTP speaks over: a connection of either world, plain or with TLS on it.
//!
//! ```text
//!   server  Gate ──► serve ──────────┐
//!                                    ├─► Channel (Plain | Tls), protocol by ALPN
//!   client  Dialer ──► dial(URL) ────┘
//! ```
//!
//! What does not live here: certificates and what is agreed on in a handshake (`tls`).

#[cfg(feature = "tls")]
use std::cell::OnceCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::oneshot;

use super::run::Running;
use super::tls::{ClientTls, ServerTls};
use super::{Destination, ProgramError, Stream, Url};

/// HTTP/2 in a TLS handshake (RFC 9113 §3.2).
pub(super) const H2: &str = "h2";
/// HTTP/1.1 in a TLS handshake (RFC 7301 §6).
pub(super) const HTTP_1: &str = "http/1.1";

/// How long the other end's last words are awaited before the connection goes: a reset would take away what it has yet to
/// read.
const LINGER: Duration = Duration::from_secs(1);

/// A connection, plain or with TLS.
pub(super) enum Channel {
    /// As the stack has it.
    Plain(Stream),
    /// After its handshake.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::TlsStream<Stream>>),
}

impl Channel {
    /// Which protocol was agreed on in the handshake; `None` without TLS, or where nobody has asked (RFC 7301).
    pub(super) fn alpn(&self) -> Option<&[u8]> {
        match self {
            Channel::Plain(_) => None,
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }

    /// Whether TLS is on it.
    pub(super) fn is_secure(&self) -> bool {
        !matches!(self, Channel::Plain(_))
    }

    /// Whether small segments go at once (RFC 9293 §3.7.4).
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match self {
            Channel::Plain(stream) => stream.set_nodelay(nodelay),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.get_ref().0.set_nodelay(nodelay),
        }
    }

    /// Gives the connection up at once, with a reset.
    pub(super) fn abort(self) {
        match self {
            Channel::Plain(stream) => stream.abort(),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => match *stream {
                tokio_rustls::TlsStream::Client(stream) => stream.into_inner().0.abort(),
                tokio_rustls::TlsStream::Server(stream) => stream.into_inner().0.abort(),
            },
        }
    }

    /// Says that nothing more comes, and waits a while until the other end has said so, too. What it still sends is not read.
    pub(super) async fn linger(mut self) {
        // Who is gone already needs no farewell.
        if self.shutdown().await.is_ok() {
            let mut rest = [0; 512];
            let last_words = async { while matches!(self.read(&mut rest).await, Ok(1..)) {} };
            let _ = tokio::time::timeout(LINGER, last_words).await;
        }
    }

    /// Reads until the other end has closed, for who has all answers already. Some servers then end the connection
    /// without TLS's own farewell: nothing can have been cut off that was waited for (RFC 9112 §9.8).
    ///
    /// # Errors
    /// Those of the connection.
    pub(super) async fn see_closed(mut self) -> io::Result<()> {
        match tokio::io::copy(&mut self, &mut tokio::io::sink()).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.is_secure() => Ok(()),
            seen => seen.map(|_| ()),
        }
    }
}

macro_rules! either {
    ($channel:expr, $stream:ident => $verb:expr) => {
        match $channel {
            Channel::Plain($stream) => $verb,
            #[cfg(feature = "tls")]
            Channel::Tls($stream) => $verb,
        }
    };
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, data))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, stream => stream.is_write_vectored())
    }
}

/// A channel in the hands of somebody who drops it when done: it is given back then.
pub(super) struct Lent {
    channel: Option<Channel>,
    back: Option<oneshot::Sender<Channel>>,
}

impl Lent {
    /// Lends `channel`; the other half has it when it was dropped.
    pub(super) fn new(channel: Channel) -> (Lent, oneshot::Receiver<Channel>) {
        let (back, given_back) = oneshot::channel();
        (Lent { channel: Some(channel), back: Some(back) }, given_back)
    }

    fn verb<T>(
        self: Pin<&mut Self>,
        verb: impl FnOnce(Pin<&mut Channel>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.get_mut().channel {
            Some(channel) => verb(Pin::new(channel)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(channel), Some(back)) = (self.channel.take(), self.back.take()) {
            // Nobody may want it back.
            let _ = back.send(channel);
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.verb(|channel| channel.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.verb(|channel| channel.poll_write(cx, data))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.verb(|channel| channel.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.verb(|channel| channel.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.verb(|channel| channel.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.channel.as_ref().is_some_and(Channel::is_write_vectored)
    }
}

/// Where a server lets clients in. A port alone is plain HTTP/1.1.
#[derive(Clone, Copy)]
pub(super) struct Gate<'a> {
    /// Where it listens.
    pub(super) port: u16,
    /// Its TLS; `None` for none.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is none"))]
    pub(super) tls: Option<&'a ServerTls>,
    /// What it speaks, the preferred first, in ALPN's names.
    pub(super) protocols: &'static [&'static str],
}

impl From<u16> for Gate<'_> {
    fn from(port: u16) -> Self {
        Gate { port, tls: None, protocols: &[HTTP_1] }
    }
}

/// Listens at `gate` and has `serve` take care of each connection, after its handshake, until dropped.
pub(super) async fn serve<F>(
    running: &Running,
    gate: Gate<'_>,
    ready: impl FnOnce(),
    serve: impl Fn(Running, Channel, SocketAddr) -> F + Clone + 'static,
) -> Result<(), ProgramError>
where
    F: Future<Output = Result<(), ProgramError>> + 'static,
{
    #[cfg(feature = "tls")]
    if let Some(tls) = gate.tls {
        let acceptor = super::tls::Acceptor::new(running, tls, gate.protocols)?;
        let accept = move |running: Running, stream, peer| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            async move {
                let channel = acceptor.accept(&running, stream, peer).await?;
                serve(running, channel, peer).await
            }
        };
        return running.serve_streams(gate.port, ready, accept).await;
    }
    running
        .serve_streams(gate.port, ready, move |running, stream, peer| serve(running, Channel::Plain(stream), peer))
        .await
}

/// How a client opens its connections. It remembers the sessions of TLS, so that it can take them up again.
pub(super) struct Dialer {
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there are none"))]
    settings: ClientTls,
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no handshake to offer them in"))]
    protocols: &'static [&'static str],
    #[cfg(feature = "tls")]
    connector: OnceCell<super::tls::Connector>,
}

impl Dialer {
    /// A client that offers these protocols (ALPN's names, the preferred first) where it speaks TLS.
    pub(super) fn new(settings: &ClientTls, protocols: &'static [&'static str]) -> Dialer {
        Dialer {
            settings: settings.clone(),
            protocols,
            #[cfg(feature = "tls")]
            connector: OnceCell::new(),
        }
    }

    /// Opens a connection to where `url` leads, with TLS when it says `https`.
    ///
    /// # Errors
    /// That of the connection, or of its handshake.
    pub(super) async fn dial(&self, running: &Running, url: &Url) -> Result<Channel, ProgramError> {
        self.dial_at(running, url, &url.destination).await
    }

    /// As [`dial`](Dialer::dial), where it is known already `at` which address the server of `url` is.
    ///
    /// # Errors
    /// As for [`dial`](Dialer::dial).
    pub(super) async fn dial_at(
        &self,
        running: &Running,
        url: &Url,
        at: &Destination,
    ) -> Result<Channel, ProgramError> {
        if !url.is_secure {
            return running.connect(at).await.map(Channel::Plain);
        }
        #[cfg(feature = "tls")]
        {
            let connector = match self.connector.get() {
                Some(connector) => connector,
                None => {
                    let made = super::tls::Connector::new(running, &self.settings, self.protocols)?;
                    self.connector.get_or_init(|| made)
                }
            };
            let stream = running.connect(at).await?;
            connector.connect(running, stream, &url.destination).await
        }
        #[cfg(not(feature = "tls"))]
        Err(ProgramError::Missing { program: running.program, feature: "tls" })
    }
}
