//! What the two kinds of halves have in common: each hands on to the stream that it is half of.

/// The verbs of a half that reads; its stream is what `AsRef` says.
macro_rules! reads {
    ($half:ty) => {
        impl $half {
            /// Looks at what comes next without taking it; see [`TcpStream::peek`].
            ///
            /// # Errors
            /// Those of reading.
            pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buffer).await
            }

            /// As [`TcpStream::poll_peek`].
            pub fn poll_peek(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(context, buffer)
            }

            /// Waits until something can be done; see [`TcpStream::ready`].
            ///
            /// # Errors
            /// As [`TcpStream::ready`].
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// Waits until something can be read, or the stream has ended.
            ///
            /// # Errors
            /// As [`TcpStream::readable`].
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// Reads without waiting; see [`TcpStream::try_read`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buffer)
            }

            /// As [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(buffers)
            }

            /// As [`TcpStream::try_read_buf`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read_buf<B: BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buffer)
            }

            /// The other end's address.
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }

            /// This end's address.
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`].
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.as_ref().get_ref().as_ref().poll_read_with(context, buffer)
            }
        }
    };
}

/// The verbs of a half that writes; its stream is what `AsRef` says.
macro_rules! writes {
    ($half:ty) => {
        impl $half {
            /// Waits until something can be done; see [`TcpStream::ready`].
            ///
            /// # Errors
            /// As [`TcpStream::ready`].
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// Waits until there is room to write, or writing has become impossible.
            ///
            /// # Errors
            /// As [`TcpStream::writable`].
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// Writes without waiting; see [`TcpStream::try_write`].
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(data)
            }

            /// As [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            pub fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(parts)
            }

            /// The other end's address.
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }

            /// This end's address.
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`].
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
                self.as_ref().get_ref().as_ref().poll_write_with(context, &[IoSlice::new(data)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                parts: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.as_ref().get_ref().as_ref().poll_write_with(context, parts)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// The stack sends by itself as soon as it may; there is nothing to flush.
            fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().shut();
                Poll::Ready(Ok(()))
            }
        }
    };
}

pub(super) use {reads, writes};
