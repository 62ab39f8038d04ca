//! A test of a user's own server and client: an echo over a link that loses one packet in twenty.
//!
//! ```text
//! cargo run --example test_echo_under_loss
//! ```
//!
//! In a crate of your own `main` would be a `#[test]`; `docs/testing.md` tells how.

#![allow(clippy::print_stdout, reason = "it prints what it saw")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wireglass::socket::{TcpListener, TcpStream};
use wireglass::testing::{Failure, Result};
use wireglass::{Link, Network};

/// The server that is tested: it sends back what it reads.
async fn echo(listener: TcpListener) -> Result {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut read, mut write) = stream.into_split();
            tokio::io::copy(&mut read, &mut write).await
        });
    }
}

/// The client that is tested: it sends so many octets and counts what comes back.
async fn send(stream: TcpStream, octets: usize) -> Result<usize> {
    let (mut read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        write.write_all(&vec![b'w'; octets]).await?;
        write.shutdown().await
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await?;
    sending.await??;
    Ok(back.len())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    for percent in [0, 1, 5, 20] {
        let link = Link::new().delay_ms(20).loss(f64::from(percent) / 100.0);
        let mut network = Network::builder().seed(7).link("client", "server", link).build()?;
        let echoed: std::result::Result<usize, Failure> = network.run(|nodes| async move {
            let [client, server] = nodes.named(["client", "server"])?;
            server.spawn(echo(server.listen(7)?));
            send(client.connect("server:7").await?, 100_000).await
        });
        assert_eq!(echoed?, 100_000);
        let lost = network.count("client", "ip.src == client")? - network.count("server", "ip.src == client")?;
        println!(
            "{percent:>2} % loss: 100000 octets there and back in {:>6} ms; {lost} packets of the client were lost",
            network.elapsed().as_millis()
        );
    }
    Ok(())
}
