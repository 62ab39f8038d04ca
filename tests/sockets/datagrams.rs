//! Datagrams.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{Interest, ReadBuf};

use super::net::{Place, UdpSocket};
use crate::sockets::log::{Log, scenarios};

scenarios!(
    they_arrive_one_by_one,
    what_does_not_fit_is_cut_off,
    an_empty_one_is_one,
    the_longest,
    where_to_must_be_said,
    who_is_connected_hears_nobody_else,
    nobody_is_there_and_the_sender_is_told_once,
    nobody_is_there_and_the_reader_is_told_once,
    nobody_is_there_and_who_asks_is_told_once,
    who_is_not_connected_is_not_told,
    looking_ahead_takes_nothing,
    trying_never_waits,
    addresses,
    a_port_is_taken_once,
    places_where_nothing_can_be_sent,
    readiness,
    options,
    by_hand,
);

async fn pair(place: &Place) -> (UdpSocket, UdpSocket, SocketAddr) {
    let client = place.udp(SocketAddr::new(Place::CLIENT, 0)).await.expect("a port is free");
    let server = place.udp(SocketAddr::new(Place::SERVER, 0)).await.expect("a port is free");
    let to = server.local_addr().expect("it is bound");
    (client, server, to)
}

async fn they_arrive_one_by_one(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    log.saw("send", &client.send_to(b"one", to).await);
    log.saw("send", &client.send_to(b"three", to).await);
    let mut buffer = [0; 100];
    for _ in 0..2 {
        let received = server.recv_from(&mut buffer).await;
        let from = client.local_addr().expect("it is bound");
        log.saw("receive", &received.map(|(octets, sender)| (octets, sender == from)));
    }
}

async fn what_does_not_fit_is_cut_off(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    client.send_to(b"a long one", to).await.expect("there is room");
    client.send_to(b"short", to).await.expect("there is room");
    let mut buffer = [0; 6];
    log.saw("receive", &server.recv(&mut buffer).await);
    log.note("it is", String::from_utf8_lossy(&buffer));
    log.saw("receive", &server.recv(&mut buffer).await);
}

async fn an_empty_one_is_one(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    log.saw("send", &client.send_to(b"", to).await);
    log.saw("receive", &server.recv(&mut [0; 9]).await);
    client.send_to(b"full", to).await.expect("there is room");
    log.saw("receive into nothing", &server.recv(&mut []).await);
    log.saw("then", &server.try_recv(&mut [0; 9]));
}

async fn the_longest(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    let long = vec![5; 65_508];
    log.saw("too long", &client.send_to(&long, to).await);
    log.saw("the longest", &client.send_to(&long[1..], to).await);
    let mut buffer = vec![0; 70_000];
    log.saw("receive", &server.recv(&mut buffer).await);
}

async fn where_to_must_be_said(place: &Place, log: &Log) {
    let (client, _server, _) = pair(place).await;
    log.saw("send", &client.send(b"x").await);
    log.saw("try", &client.try_send(b"x"));
    log.saw("peer", &client.peer_addr());
}

async fn who_is_connected_hears_nobody_else(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    let stranger = place.udp(SocketAddr::new(Place::CLIENT, 0)).await.expect("a port is free");
    let from = client.local_addr().expect("it is bound");
    log.saw("connect", &server.connect(from).await);
    log.saw("peer", &server.peer_addr().map(|peer| peer == from));
    stranger.send_to(b"hello?", to).await.expect("there is room");
    place.settle().await;
    log.saw("nothing", &server.try_recv(&mut [0; 9]));
    client.send_to(b"hi", to).await.expect("there is room");
    log.saw("receive", &server.recv(&mut [0; 9]).await);
    log.saw("send", &server.send(b"hi yourself").await);
    log.saw("receive", &client.recv(&mut [0; 20]).await);
    let other = stranger.local_addr().expect("it is bound");
    log.saw("to another", &server.send_to(b"not you", other).await);
    log.saw("receive", &stranger.recv(&mut [0; 20]).await);
}

/// Who is connected to a port where nobody is, and has sent something there.
async fn refused(place: &Place) -> UdpSocket {
    let (client, server, to) = pair(place).await;
    drop(server);
    client.connect(to).await.expect("there is a way");
    client.send(b"anybody?").await.expect("there is room");
    place.settle().await;
    client
}

async fn nobody_is_there_and_the_sender_is_told_once(place: &Place, log: &Log) {
    let client = refused(place).await;
    log.saw("send", &client.send(b"x").await);
    log.saw("send", &client.try_send(b"x"));
}

async fn nobody_is_there_and_the_reader_is_told_once(place: &Place, log: &Log) {
    let client = refused(place).await;
    log.saw("receive", &client.recv(&mut [0; 9]).await);
    log.saw("then", &client.try_recv(&mut [0; 9]));
}

async fn nobody_is_there_and_who_asks_is_told_once(place: &Place, log: &Log) {
    let client = refused(place).await;
    log.note("error", client.take_error().expect("it can be asked").map(|error| error.kind()));
    log.note("error", client.take_error().expect("it can be asked").map(|error| error.kind()));
    log.saw("then", &client.try_recv(&mut [0; 9]));
}

async fn who_is_not_connected_is_not_told(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    drop(server);
    log.saw("send", &client.send_to(b"anybody?", to).await);
    place.settle().await;
    log.saw("send", &client.send_to(b"anybody?", to).await);
    log.saw("receive", &client.try_recv(&mut [0; 9]));
}

async fn looking_ahead_takes_nothing(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    let waiting = tokio::time::timeout(Duration::from_millis(30), server.peek_from(&mut [0; 9])).await;
    log.note("peek waits", waiting.is_err());
    client.send_to(b"hello", to).await.expect("there is room");
    let from = client.local_addr().expect("it is bound");
    log.saw("peek", &server.peek(&mut [0; 9]).await);
    log.saw("peek", &server.peek_from(&mut [0; 2]).await.map(|(octets, sender)| (octets, sender == from)));
    log.saw("sender", &server.peek_sender().await.map(|sender| sender == from));
    log.saw("try", &server.try_peek(&mut [0; 9]));
    log.saw("try", &server.try_peek_from(&mut [0; 9]).map(|(octets, _)| octets));
    log.saw("receive", &server.recv(&mut [0; 9]).await);
    log.saw("try", &server.try_peek(&mut [0; 9]));
}

async fn trying_never_waits(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    log.saw("receive", &server.try_recv(&mut [0; 9]));
    log.saw("receive", &server.try_recv_from(&mut [0; 9]));
    log.saw("writable", &client.writable().await);
    log.saw("send", &client.try_send_to(b"hello", to));
    log.saw("readable", &server.readable().await);
    log.saw("io", &server.try_io(Interest::READABLE, || Ok("it is called")));
    log.saw("receive", &server.try_recv_from(&mut [0; 9]).map(|(octets, _)| octets));
    log.saw("receive", &server.try_recv(&mut [0; 9]));
    log.saw("io", &server.try_io(Interest::READABLE, || Ok("it is called")));
}

async fn addresses(place: &Place, log: &Log) {
    let (client, _server, to) = pair(place).await;
    log.saw("local", &client.local_addr().map(|local| (local.ip() == Place::CLIENT, local.port() != 0)));
    // Any address is a socket of the server's, in the one world as in the other.
    let any = place.udp(SocketAddr::from(([0, 0, 0, 0], 0))).await.expect("a port is free");
    log.saw("any", &any.local_addr().map(|local| local.ip().is_unspecified()));
    any.connect(client.local_addr().expect("it is bound")).await.expect("there is a way");
    log.saw("then", &any.local_addr().map(|local| local.ip().is_unspecified()));
    log.saw("peer", &any.peer_addr().map(|peer| peer.ip() == Place::CLIENT));
    let _ = to;
}

async fn a_port_is_taken_once(place: &Place, log: &Log) {
    let (_client, server, to) = pair(place).await;
    log.saw("again", &place.udp(to).await.map(drop));
    log.saw("everywhere", &place.udp(SocketAddr::from(([0, 0, 0, 0], to.port()))).await.map(drop));
    log.saw("another's", &place.udp(SocketAddr::from(([192, 0, 2, 1], 0))).await.map(drop));
    drop(server);
    log.saw("afterwards", &place.udp(to).await.map(drop));
}

async fn places_where_nothing_can_be_sent(place: &Place, log: &Log) {
    let (client, _server, to) = pair(place).await;
    log.saw("port 0", &client.send_to(b"x", SocketAddr::new(to.ip(), 0)).await);
    let other: SocketAddr = "[::1]:80".parse().expect("an address");
    log.saw("the other family", &client.send_to(b"x", other).await);
    log.saw("connect", &client.connect(other).await);
    log.saw("still not connected", &client.peer_addr());
}

async fn readiness(place: &Place, log: &Log) {
    let both = Interest::READABLE | Interest::WRITABLE;
    let (client, server, to) = pair(place).await;
    log.ready("new", server.ready(both).await);
    client.send_to(b"hello", to).await.expect("there is room");
    place.settle().await;
    log.ready("with data", server.ready(both).await);
    log.ready("to read", server.ready(Interest::READABLE).await);
    log.saw("writable", &server.writable().await);
}

async fn options(place: &Place, log: &Log) {
    let (client, _server, _) = pair(place).await;
    log.saw("ttl", &client.ttl());
    for hops in [7, 255, 0, 256] {
        log.saw(&format!("set to {hops}"), &client.set_ttl(hops));
        log.saw("ttl", &client.ttl());
    }
}

async fn by_hand(place: &Place, log: &Log) {
    let (client, server, to) = pair(place).await;
    let sent = std::future::poll_fn(|context| client.poll_send_to(context, b"hello", to)).await;
    log.saw("send", &sent);
    let mut room = [0; 9];
    let mut buffer = ReadBuf::new(&mut room);
    let received = std::future::poll_fn(|context| server.poll_recv_from(context, &mut buffer)).await;
    log.saw("receive", &received.map(|sender| sender.ip() == Place::CLIENT));
    log.note("it is", String::from_utf8_lossy(buffer.filled()));
    client.connect(to).await.expect("there is a way");
    log.saw("send", &std::future::poll_fn(|context| client.poll_send(context, b"more")).await);
    buffer.clear();
    log.saw("receive", &std::future::poll_fn(|context| server.poll_recv(context, &mut buffer)).await);
    log.note("it is", String::from_utf8_lossy(buffer.filled()));
}
