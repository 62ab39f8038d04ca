//! A test of unmodified hyper, server and client: a request over a slow link that loses packets, the same every time.
//!
//! ```text
//! cargo run --example test_hyper_over_a_bad_link
//! ```

#![allow(clippy::print_stdout, reason = "it prints what it saw")]

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use wireglass::socket::TcpListener;
use wireglass::testing::{Nodes, Result};
use wireglass::{Link, Network};

const BODY: usize = 300_000;

async fn answer(_: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(vec![b'x'; BODY])))
}

async fn serve(listener: TcpListener) -> Result {
    loop {
        let (stream, _) = listener.accept().await?;
        let mut http = hyper::server::conn::http1::Builder::new();
        // The time of day is the one thing that is not virtual.
        http.auto_date_header(false);
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

async fn ask(nodes: Nodes) -> Result<usize> {
    let [client, server] = nodes.named(["client", "server"])?;
    server.spawn(serve(server.listen(80)?));
    let stream = TokioIo::new(client.connect("server:80").await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "server").body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    Ok(answer.into_body().collect().await?.to_bytes().len())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    for loss in [0.0, 0.01, 0.05] {
        let link = Link::new().delay_ms(20).rate(10_000_000).queue(50).loss(loss);
        let mut network = Network::builder().seed(7).link("client", "server", link).build()?;
        let mut runs = Vec::new();
        for _ in 0..2 {
            let octets = network.run(ask)?;
            runs.push((octets, network.elapsed(), network.count("server", "")?));
        }
        assert_eq!(runs[0], runs[1], "every run begins anew, and is the same");
        let (octets, elapsed, packets) = runs[0];
        println!("loss {loss}: {octets} octets in {:>4} ms, {packets} packets, twice", elapsed.as_millis());
    }
    Ok(())
}
