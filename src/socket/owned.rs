//! Halves that own a stream together: one reads, one writes, each in a task of its own.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::TcpStream;
use super::half::{reads, writes};

/// The half that reads, made by [`TcpStream::into_split`]. Dropping it does nothing while the other lives.
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The half that writes, made by [`TcpStream::into_split`]. Dropping it sends FIN.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shuts_on_drop: bool,
}

/// Halves of two streams cannot become one. Both are given back.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are not of the same stream")
    }
}

impl std::error::Error for ReuniteError {}

pub(super) fn halves(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (OwnedReadHalf(stream.clone()), OwnedWriteHalf { stream, shuts_on_drop: true })
}

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.0, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    let copy = write.stream.clone();
    write.forget();
    drop(copy);
    Arc::try_unwrap(read.0).map_err(|stream| {
        // There never are more than two halves.
        let read = OwnedReadHalf(stream.clone());
        ReuniteError(read, OwnedWriteHalf { stream, shuts_on_drop: true })
    })
}

reads!(OwnedReadHalf);
writes!(OwnedWriteHalf);

impl OwnedReadHalf {
    /// Makes a stream of both halves again.
    ///
    /// # Errors
    /// [`ReuniteError`] when they are not of one stream.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Makes a stream of both halves again.
    ///
    /// # Errors
    /// [`ReuniteError`] when they are not of one stream.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    fn shut(&mut self) {
        self.stream.shut_write();
        self.shuts_on_drop = false;
    }

    /// Drops it without sending FIN.
    pub fn forget(mut self) {
        self.shuts_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shuts_on_drop {
            self.stream.shut_write();
        }
    }
}

impl AsRef<TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.0
    }
}

impl AsRef<TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}
