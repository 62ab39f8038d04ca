//! One request on a connection of its own.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};

use crate::app::channel::{Dialer, HTTP_1};
use crate::app::http::connection::{self, Requests, close_after};
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{ProgramError, Url};

/// What came back: the status, and the body unless it was too long or broke off.
pub(super) type Answer = (StatusCode, Option<Bytes>);

/// How such connections are opened.
pub(super) fn dialer(tls: &ClientTls) -> Dialer {
    Dialer::new(tls, &[HTTP_1])
}

/// Sends `request` to where `url` leads, says that it is the last of its connection, and reads the answer.
///
/// # Errors
/// What the system or the peer did wrong.
pub(super) async fn exchange(
    running: &Running,
    dialer: &Dialer,
    url: &Url,
    mut request: Request<Bytes>,
) -> Result<Answer, ProgramError> {
    close_after(request.headers_mut());
    let talk = async |mut requests: Requests| {
        let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
        Ok((head.status, connection::whole(body).await))
    };
    let channel = dialer.dial(running, url).await?;
    connection::over(running, channel, &url.destination, false, talk).await
}
