//! `streams-get` over QUIC (RFC 9114).

use hyper::body::{Buf, Bytes};
use tokio::task::spawn_local;

use super::client::{Log, Receipt, StreamsGet};
use super::endpoint::{self, lost};
use super::server::misunderstood;
use crate::app::ProgramError;
use crate::app::http::connection::as_stream;
use crate::app::run::Running;
use crate::journal::ProgramEvent;

/// Where requests go: each becomes a stream of its own.
type Requests = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;

/// Opens a connection, asks as the settings say, and closes it in order.
pub(super) async fn over_quic(settings: &StreamsGet, running: &Running, log: &Log) -> Result<(), ProgramError> {
    let to = settings.to();
    let remote = running.resolver.resolve(to)?;
    let socket = running.bind_udp_towards(remote).await?;
    let endpoint = endpoint::client(running, socket, &settings.tls)?;
    let local = endpoint::local(running, &endpoint)?;
    let connecting = endpoint.connect(remote, &to.host).map_err(|error| ProgramError::Protocol {
        program: running.program,
        peer: to.to_string(),
        detail: error.to_string(),
    })?;
    let connection = connecting.await.map_err(|error| lost(running, to, &error))?;
    running.report(ProgramEvent::Connected { local, remote });
    endpoint::agreed(running, &connection, &to.host);
    let mut builder = h3::client::builder();
    let built = builder.send_grease(false).build(h3_quinn::Connection::new(connection.clone())).await;
    let (mut driver, requests): (_, Requests) =
        built.map_err(|error| misunderstood(running, &connection, to, &error))?;
    let driven = spawn_local(async move { driver.wait_idle().await });
    let ask = |receipt: Receipt| get(requests.clone(), receipt);
    let asked = settings.rounds(running, "HTTP/3", log, ask).await;
    // The last of them closes the connection.
    drop(requests);
    let ended = driven.await;
    endpoint.wait_idle().await;
    match (asked, ended) {
        (Ok(()), _) => Ok(()),
        (Err(_), Ok(error)) if connection.close_reason().is_some() => {
            Err(misunderstood(running, &connection, to, &error))
        }
        (Err(error), _) => {
            Err(ProgramError::Protocol { program: running.program, peer: to.to_string(), detail: error.to_string() })
        }
    }
}

/// Gets one page over HTTP/3.
async fn get(mut requests: Requests, mut receipt: Receipt) -> Result<(), h3::error::StreamError> {
    let request = as_stream(receipt.ask(), "https").map(drop);
    let mut stream = requests.send_request(request).await?;
    stream.finish().await?;
    stream.recv_response().await?;
    while let Some(data) = stream.recv_data().await? {
        receipt.octets(data.remaining());
    }
    receipt.whole();
    Ok(())
}
