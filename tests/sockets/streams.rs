//! Connections: reading, writing, closing, breaking.

use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};

use super::net::{Place, TcpStream};
use crate::sockets::log::{Log, scenarios};

scenarios!(
    the_end_comes_after_the_data,
    a_reset_is_told_to_the_reader_once,
    a_reset_is_told_to_the_writer_once,
    a_reset_is_told_by_take_error_once,
    data_before_a_reset_can_be_read,
    a_reset_after_the_end_breaks_the_pipe,
    data_that_nobody_read_makes_the_close_a_reset,
    a_half_closed_stream_goes_on_the_other_way,
    shutting_down_is_always_possible,
    a_stream_that_ended_in_order,
    looking_ahead_takes_nothing,
    trying_never_waits,
    a_full_stream_is_writable_again,
    readiness_from_beginning_to_end,
    readiness_after_a_reset,
    several_buffers_at_once,
    borrowed_halves,
    owned_halves,
    dropping_the_writing_half_ends_the_stream,
    a_forgotten_half_does_not,
    halves_become_a_stream_again,
    options,
    options_after_a_reset,
    much_data_both_ways,
    anything_that_reads_and_writes,
);

async fn pair(place: &Place) -> (TcpStream, TcpStream) {
    let listener = place.listen(SocketAddr::new(Place::SERVER, 0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let (client, accepted) = tokio::join!(place.connect(to), listener.accept());
    let (server, from) = accepted.expect("a connection has come");
    let client = client.expect("somebody listens");
    assert_eq!(client.local_addr().expect("it is open"), from);
    assert_eq!(client.peer_addr().expect("it is open"), to);
    (client, server)
}

async fn reset(place: &Place, stream: TcpStream) {
    stream.set_zero_linger().expect("it can always be set");
    drop(stream);
    place.settle().await;
}

async fn the_end_comes_after_the_data(place: &Place, log: &Log) {
    let (mut client, mut server) = pair(place).await;
    log.saw("write", &server.write(b"hello").await);
    drop(server);
    place.settle().await;
    let mut buffer = [0; 3];
    for _ in 0..4 {
        log.saw("read", &client.read(&mut buffer).await);
    }
    log.saw("peer", &client.peer_addr().map(drop));
}

async fn a_reset_is_told_to_the_reader_once(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    reset(place, server).await;
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("write", &client.write(b"x").await);
    log.saw("write", &client.write(b"x").await);
    log.saw("error", &client.take_error());
    log.saw("peer", &client.peer_addr().map(drop));
    log.saw("local", &client.local_addr().map(drop));
}

async fn a_reset_is_told_to_the_writer_once(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    reset(place, server).await;
    log.saw("write", &client.write(b"x").await);
    log.saw("write", &client.write(b"x").await);
    log.saw("read", &client.read(&mut [0; 9]).await);
}

async fn a_reset_is_told_by_take_error_once(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    log.note("error before", client.take_error().expect("it can be asked").map(|error| error.kind()));
    reset(place, server).await;
    log.note("error", client.take_error().expect("it can be asked").map(|error| error.kind()));
    log.note("error", client.take_error().expect("it can be asked").map(|error| error.kind()));
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("write", &client.write(b"x").await);
}

async fn data_before_a_reset_can_be_read(place: &Place, log: &Log) {
    let (mut client, mut server) = pair(place).await;
    log.saw("write", &server.write(b"hello").await);
    place.settle().await;
    reset(place, server).await;
    log.saw("peek", &client.peek(&mut [0; 9]).await);
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("read", &client.read(&mut [0; 9]).await);
}

async fn a_reset_after_the_end_breaks_the_pipe(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    drop(server);
    place.settle().await;
    log.saw("write", &client.write(b"nobody reads this").await);
    place.settle().await;
    log.saw("write", &client.write(b"x").await);
    log.saw("write", &client.write(b"x").await);
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.note("error", client.take_error().expect("it can be asked").map(|error| error.kind()));
}

async fn data_that_nobody_read_makes_the_close_a_reset(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    log.saw("write", &client.write(b"hello").await);
    place.settle().await;
    drop(server);
    place.settle().await;
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("read", &client.read(&mut [0; 9]).await);
}

async fn a_half_closed_stream_goes_on_the_other_way(place: &Place, log: &Log) {
    let (mut client, mut server) = pair(place).await;
    log.saw("write", &client.write_all(b"question").await);
    log.saw("shutdown", &client.shutdown().await);
    log.saw("write", &client.write(b"x").await);
    let mut asked = String::new();
    log.saw("server reads", &server.read_to_string(&mut asked).await);
    log.note("asked", &asked);
    log.saw("server writes", &server.write_all(b"answer").await);
    drop(server);
    let mut answer = String::new();
    log.saw("read", &client.read_to_string(&mut answer).await);
    log.note("answer", &answer);
}

async fn shutting_down_is_always_possible(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    log.saw("shutdown", &client.shutdown().await);
    log.saw("again", &client.shutdown().await);
    reset(place, server).await;
    log.saw("after the reset", &client.shutdown().await);
    let (mut client, server) = pair(place).await;
    drop(server);
    place.settle().await;
    log.saw("after the peer", &client.shutdown().await);
}

async fn a_stream_that_ended_in_order(place: &Place, log: &Log) {
    let (mut client, mut server) = pair(place).await;
    log.saw("shutdown", &server.shutdown().await);
    place.settle().await;
    log.saw("shutdown", &client.shutdown().await);
    place.settle().await;
    for stream in [&mut client, &mut server] {
        log.saw("read", &stream.read(&mut [0; 9]).await);
        log.saw("write", &stream.write(b"x").await);
        log.saw("peer", &stream.peer_addr().map(drop));
        log.note("error", stream.take_error().expect("it can be asked").map(|error| error.kind()));
        log.ready("ready", stream.ready(Interest::READABLE | Interest::WRITABLE).await);
    }
}

async fn looking_ahead_takes_nothing(place: &Place, log: &Log) {
    let (mut client, mut server) = pair(place).await;
    let waiting = tokio::time::timeout(Duration::from_millis(30), client.peek(&mut [0; 9])).await;
    log.note("peek waits", waiting.is_err());
    log.saw("write", &server.write_all(b"hello").await);
    let mut buffer = [0; 9];
    log.saw("peek", &client.peek(&mut buffer).await);
    log.saw("peek a little", &client.peek(&mut buffer[..2]).await);
    log.saw("read", &client.read(&mut buffer).await);
    log.note("it is", &buffer[..5]);
    drop(server);
    log.saw("peek", &client.peek(&mut buffer).await);
    log.saw("peek", &client.peek(&mut buffer).await);
}

async fn trying_never_waits(place: &Place, log: &Log) {
    let (client, server) = pair(place).await;
    let mut buffer = [0; 9];
    log.saw("read", &client.try_read(&mut buffer));
    log.saw("writable", &server.writable().await);
    log.saw("write", &server.try_write(b"hello"));
    log.saw("readable", &client.readable().await);
    log.saw("read", &client.try_read(&mut buffer));
    log.saw("read", &client.try_read(&mut buffer));
    log.saw("io", &client.try_io(Interest::READABLE, || Ok(())));
    drop(server);
    log.saw("readable", &client.readable().await);
    log.saw("read", &client.try_read(&mut buffer));
    log.saw("io", &client.try_io(Interest::READABLE, || Ok("it is called")));
    let mut more = Vec::new();
    log.saw("read", &client.try_read_buf(&mut more));
}

async fn a_full_stream_is_writable_again(place: &Place, log: &Log) {
    let (client, mut server) = pair(place).await;
    let piece = vec![7; 64 * 1024];
    let (mut written, mut refused) = (0, 0);
    client.writable().await.expect("it is open");
    // What the peer's window takes makes room once more.
    while refused < 2 {
        match client.try_write(&piece) {
            Ok(octets) => (written, refused) = (written + octets, 0),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                refused += 1;
                place.settle().await;
            }
        }
    }
    let waiting = tokio::time::timeout(Duration::from_millis(30), client.writable()).await;
    log.note("writable waits", waiting.is_err());
    let reading = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut read = 0;
        while read < written / 2 {
            read += server.read(&mut buffer).await.expect("it is open");
        }
        read
    };
    let (writable, read) = tokio::join!(client.writable(), reading);
    log.saw("writable", &writable);
    log.note("half of it is read", read >= written / 2);
    log.saw("write", &client.try_write(b"x"));
}

async fn readiness_from_beginning_to_end(place: &Place, log: &Log) {
    let both = Interest::READABLE | Interest::WRITABLE;
    let (mut client, mut server) = pair(place).await;
    log.ready("new", client.ready(both).await);
    server.write_all(b"hello").await.expect("it is open");
    place.settle().await;
    log.ready("with data", client.ready(both).await);
    log.ready("to read", client.ready(Interest::READABLE).await);
    server.shutdown().await.expect("it is open");
    place.settle().await;
    log.ready("with data and the end", client.ready(both).await);
    client.read_exact(&mut [0; 5]).await.expect("it is there");
    place.settle().await;
    log.ready("at the end", client.ready(both).await);
    client.shutdown().await.expect("it is open");
    place.settle().await;
    log.ready("after both ends", client.ready(both).await);
}

async fn readiness_after_a_reset(place: &Place, log: &Log) {
    let (client, server) = pair(place).await;
    reset(place, server).await;
    log.ready("reset", client.ready(Interest::READABLE | Interest::WRITABLE).await);
    log.ready("to read", client.ready(Interest::READABLE).await);
    log.ready("to write", client.ready(Interest::WRITABLE).await);
}

async fn several_buffers_at_once(place: &Place, log: &Log) {
    let (mut client, server) = pair(place).await;
    log.note("vectored", client.is_write_vectored());
    let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two "), IoSlice::new(b"three")];
    log.saw("write", &client.write_vectored(&parts).await);
    log.saw("write", &client.try_write_vectored(&parts[..1]));
    place.settle().await;
    let (mut first, mut second) = ([0; 6], [0; 20]);
    server.readable().await.expect("it is open");
    let read = server.try_read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]);
    log.saw("read", &read);
    log.note("first", String::from_utf8_lossy(&first));
    log.note("second", String::from_utf8_lossy(&second[..11]));
    log.saw("write nothing", &client.write(b"").await);
}

async fn borrowed_halves(place: &Place, log: &Log) {
    let (mut client, mut server) = pair(place).await;
    let (mut read, mut write) = client.split();
    log.saw("peer", &read.peer_addr().and_then(|peer| Ok(peer == write.peer_addr()?)));
    log.saw("write", &write.write_all(b"ping").await);
    let mut buffer = [0; 4];
    log.saw("server reads", &server.read_exact(&mut buffer).await);
    log.saw("server writes", &server.write_all(b"pong").await);
    log.saw("peek", &read.peek(&mut buffer).await);
    log.saw("read", &read.read_exact(&mut buffer).await);
    log.saw("try", &read.try_read(&mut buffer));
    log.note("vectored", write.is_write_vectored());
    log.saw("shutdown", &write.shutdown().await);
    log.saw("try", &write.try_write(b"x"));
    log.saw("server reads", &server.read(&mut buffer).await);
}

async fn owned_halves(place: &Place, log: &Log) {
    let (client, server) = pair(place).await;
    let (mut read, mut write) = client.into_split();
    let echo = tokio::task::spawn_local(async move {
        let (mut read, mut write) = server.into_split();
        tokio::io::copy(&mut read, &mut write).await
    });
    let sending = tokio::task::spawn_local(async move {
        write.write_all(&[5; 100_000]).await.expect("it is open");
        write.shutdown().await.expect("it is open");
        write
    });
    let mut back = Vec::new();
    log.saw("read", &read.read_to_end(&mut back).await);
    let mut write = sending.await.expect("it does not panic");
    log.saw("write", &write.write(b"x").await);
    log.saw("echo", &echo.await.expect("it does not panic"));
}

async fn dropping_the_writing_half_ends_the_stream(place: &Place, log: &Log) {
    let (client, mut server) = pair(place).await;
    let (mut read, write) = client.into_split();
    drop(write);
    log.saw("server reads", &server.read(&mut [0; 9]).await);
    log.saw("server writes", &server.write_all(b"still open").await);
    log.saw("read", &read.read(&mut [0; 20]).await);
    drop(read);
    place.settle().await;
    log.saw("server writes", &server.write(b"x").await);
    place.settle().await;
    log.saw("server writes", &server.write(b"x").await);
}

async fn a_forgotten_half_does_not(place: &Place, log: &Log) {
    let (client, mut server) = pair(place).await;
    let (read, write) = client.into_split();
    write.forget();
    let waiting = tokio::time::timeout(Duration::from_millis(30), server.read(&mut [0; 9])).await;
    log.note("the server waits", waiting.is_err());
    drop(read);
    log.saw("server reads", &server.read(&mut [0; 9]).await);
}

async fn halves_become_a_stream_again(place: &Place, log: &Log) {
    let (client, mut server) = pair(place).await;
    let (other, _other_server) = pair(place).await;
    let (read, write) = client.into_split();
    let (other_read, other_write) = other.into_split();
    let wrong = read.reunite(other_write).expect_err("they are strangers");
    let (read, other_write) = (wrong.0, wrong.1);
    log.note("strangers", other_write.reunite(other_read).is_ok());
    let mut client = write.reunite(read).expect("they belong together");
    log.saw("write", &client.write_all(b"whole").await);
    log.saw("server reads", &server.read(&mut [0; 9]).await);
    drop(client);
    log.saw("server reads", &server.read(&mut [0; 9]).await);
}

async fn options(place: &Place, log: &Log) {
    let (client, _server) = pair(place).await;
    log.saw("nodelay", &client.nodelay());
    log.saw("set", &client.set_nodelay(true));
    log.saw("nodelay", &client.nodelay());
    log.saw("ttl", &client.ttl());
    for hops in [7, 255, 0, 256] {
        log.saw(&format!("set to {hops}"), &client.set_ttl(hops));
        log.saw("ttl", &client.ttl());
    }
    log.saw("linger", &client.linger());
    #[allow(deprecated)]
    let set = client.set_linger(Some(Duration::from_secs(5)));
    log.saw("set", &set);
    log.saw("linger", &client.linger());
    log.saw("set", &client.set_zero_linger());
    log.saw("linger", &client.linger());
    log.saw("quick", &client.set_quickack(true));
}

async fn options_after_a_reset(place: &Place, log: &Log) {
    let (client, server) = pair(place).await;
    reset(place, server).await;
    log.saw("set", &client.set_nodelay(true));
    log.saw("nodelay", &client.nodelay());
    log.saw("set", &client.set_ttl(3));
    log.saw("ttl", &client.ttl());
}

async fn much_data_both_ways(place: &Place, log: &Log) {
    let (client, server) = pair(place).await;
    let exchange = |stream: TcpStream, octet: u8| async move {
        let (mut read, mut write) = stream.into_split();
        let sending = async move {
            write.write_all(&vec![octet; 1_000_000]).await?;
            write.shutdown().await
        };
        let mut received = Vec::new();
        let (sent, read) = tokio::join!(sending, read.read_to_end(&mut received));
        sent.and(read).map(|octets| (octets, received.iter().all(|it| *it == 3 - octet)))
    };
    let (one, other) = tokio::join!(exchange(client, 1), exchange(server, 2));
    log.saw("one", &one);
    log.saw("other", &other);
}

async fn anything_that_reads_and_writes(place: &Place, log: &Log) {
    fn takes(
        stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug + 'static,
    ) -> impl AsyncRead + AsyncWrite {
        stream
    }
    let (client, server) = pair(place).await;
    let (client, server) = (takes(client), takes(server));
    tokio::pin!(client, server);
    let (written, copied) = tokio::join!(
        async {
            client.write_all(b"through").await?;
            client.shutdown().await
        },
        async { tokio::io::copy(&mut server, &mut tokio::io::sink()).await }
    );
    log.saw("written", &written);
    log.saw("copied", &copied);
}
