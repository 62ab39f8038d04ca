//! A test of a client that tries again: the network between it and its server is cut, and mended after a while.
//!
//! ```text
//! cargo run --example test_partition_and_retry
//! ```
//!
//! Half a minute of time-outs, and it takes a moment.

#![allow(clippy::print_stdout, reason = "it prints what it saw")]

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};
use wireglass::testing::Node;
use wireglass::{Link, Network};

/// What a try may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The client that is tested: it asks until it is answered, and waits twice as long after each try. Returns how many tries
/// it took.
async fn ask(client: &Node) -> io::Result<u32> {
    let mut pause = Duration::from_millis(500);
    for tries in 1..=10 {
        match timeout(PATIENCE, ask_once(client)).await {
            Ok(Ok(())) => return Ok(tries),
            Ok(Err(error)) => println!("  {:>6} ms: {error}", client.now().as_nanos() / 1_000_000),
            Err(_elapsed) => println!("  {:>6} ms: no answer", client.now().as_nanos() / 1_000_000),
        }
        sleep(pause).await;
        pause *= 2;
    }
    Err(io::ErrorKind::TimedOut.into())
}

async fn ask_once(client: &Node) -> io::Result<()> {
    let mut stream = client.connect("server:80").await?;
    stream.write_all(b"ping").await?;
    stream.read_exact(&mut [0; 4]).await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = Network::builder().link("client", "server", Link::new().delay_ms(20)).build()?;
    let (tries, took) = network.run(|nodes| async move {
        let [client, server] = nodes.named(["client", "server"])?;
        let listener = server.listen(80)?;
        server.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        assert_eq!(ask(&client).await?, 1);
        nodes.partition("client", "server")?;
        let mending = nodes.clone();
        server.spawn(async move {
            sleep(Duration::from_secs(10)).await;
            Ok(mending.repair("client", "server")?)
        });
        let began = Instant::now();
        Ok((ask(&client).await?, began.elapsed()))
    })?;
    println!("answered at try {tries}, {} ms after the link was cut for 10 s", took.as_millis());
    assert_eq!(tries, 4);
    Ok(())
}
