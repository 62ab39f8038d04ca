//! Two TCP connections made one: what comes in on either goes out on the other, and nobody looks at it.

use std::io;

use tokio::io::copy_bidirectional;

use crate::app::Stream;

/// Joins `front` and `back` until both ends have closed. When one of them breaks, so does the other: a stream that was cut
/// must not look as if it had ended.
///
/// # Errors
/// That of the connection that broke.
pub(super) async fn splice(mut front: Stream, mut back: Stream) -> io::Result<()> {
    let ended = copy_bidirectional(&mut front, &mut back).await;
    if ended.is_err() {
        front.abort();
        back.abort();
    }
    ended.map(|_| ())
}
