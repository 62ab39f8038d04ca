//! Listening, connecting, and sockets that are set up first.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::net::Place;
use crate::sockets::log::{Log, scenarios};

scenarios!(
    nobody_listens,
    nobody_can_listen_there,
    a_port_is_taken_once,
    an_address_of_others,
    a_port_is_free_again,
    a_listener_that_is_dropped_resets_who_waits,
    a_connection_outlives_its_listener,
    one_that_was_reset_before_it_was_accepted,
    one_that_has_written_and_gone,
    connections_come_in_order,
    connections_inherit_options,
    a_socket_is_bound_and_connects,
    a_socket_is_bound_and_listens,
    a_socket_is_bound_once,
    a_socket_that_is_bound_is_in_the_way,
    a_socket_of_the_other_family,
    options_of_a_socket,
    connecting_can_be_given_up,
);

fn server(port: u16) -> SocketAddr {
    SocketAddr::new(Place::SERVER, port)
}

async fn nobody_listens(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    drop(listener);
    log.saw("connect", &place.connect(to).await.map(drop));
}

async fn nobody_can_listen_there(place: &Place, log: &Log) {
    log.saw("port 0", &place.connect(server(0)).await.map(drop));
    log.saw("a group", &place.connect(SocketAddr::from(([224, 0, 0, 9], 80))).await.map(drop));
    log.saw("everybody", &place.connect(SocketAddr::from(([255, 255, 255, 255], 80))).await.map(drop));
}

async fn a_port_is_taken_once(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let local = listener.local_addr().expect("it listens");
    log.note("a port", local.port() != 0);
    log.saw("again", &place.listen(local).await.map(drop));
    let any = SocketAddr::from(([0, 0, 0, 0], local.port()));
    log.saw("everywhere", &place.listen(any).await.map(drop));
}

async fn an_address_of_others(place: &Place, log: &Log) {
    log.saw("listen", &place.listen(SocketAddr::from(([192, 0, 2, 1], 0))).await.map(drop));
    let socket = place.client_socket().expect("a socket");
    log.saw("bind", &socket.bind(SocketAddr::from(([192, 0, 2, 1], 0))));
}

async fn a_port_is_free_again(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let local = listener.local_addr().expect("it listens");
    let (client, accepted) = tokio::join!(place.connect(local), listener.accept());
    drop(accepted);
    place.settle().await;
    drop(client);
    drop(listener);
    place.settle().await;
    // Connections linger in TIME-WAIT there.
    log.saw("listen", &place.listen(local).await.map(drop));
}

async fn a_listener_that_is_dropped_resets_who_waits(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let mut client = place.connect(to).await.expect("somebody listens");
    place.settle().await;
    drop(listener);
    place.settle().await;
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("read", &client.read(&mut [0; 9]).await);
}

async fn a_connection_outlives_its_listener(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let (client, accepted) = tokio::join!(place.connect(to), listener.accept());
    let (mut client, (mut accepted, _)) = (client.expect("it is open"), accepted.expect("it is open"));
    drop(listener);
    log.saw("write", &accepted.write_all(b"hello").await);
    log.saw("read", &client.read(&mut [0; 9]).await);
    log.saw("another", &place.connect(to).await.map(drop));
}

async fn one_that_was_reset_before_it_was_accepted(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let client = place.connect(to).await.expect("somebody listens");
    place.settle().await;
    client.set_zero_linger().expect("it can be set");
    drop(client);
    place.settle().await;
    let (mut accepted, _) = listener.accept().await.expect("it is still there");
    log.saw("read", &accepted.read(&mut [0; 9]).await);
    log.saw("read", &accepted.read(&mut [0; 9]).await);
    log.saw("write", &accepted.write(b"x").await);
}

async fn one_that_has_written_and_gone(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let mut client = place.connect(to).await.expect("somebody listens");
    log.saw("write", &client.write_all(b"a letter").await);
    drop(client);
    place.settle().await;
    let (mut accepted, _) = listener.accept().await.expect("it is still there");
    let mut letter = String::new();
    log.saw("read", &accepted.read_to_string(&mut letter).await);
    log.note("letter", letter);
}

async fn connections_come_in_order(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(place.connect(to).await.expect("somebody listens"));
    }
    for client in &clients {
        let (_, from) = listener.accept().await.expect("a connection waits");
        log.saw("in order", &client.local_addr().map(|local| local == from));
    }
    let waiting = tokio::time::timeout(Duration::from_millis(30), listener.accept()).await;
    log.note("then none", waiting.is_err());
}

async fn connections_inherit_options(place: &Place, log: &Log) {
    let socket = place.server_socket().expect("a socket");
    log.saw("set", &socket.set_nodelay(true));
    log.saw("set", &socket.set_zero_linger());
    socket.bind(server(0)).expect("a port is free");
    let listener = socket.listen(8).expect("it is bound");
    log.saw("ttl", &listener.ttl());
    log.saw("set", &listener.set_ttl(9));
    log.saw("ttl", &listener.ttl());
    log.saw("set", &listener.set_ttl(0));
    let (client, accepted) = tokio::join!(place.connect(listener.local_addr().expect("it listens")), listener.accept());
    let (mut client, (accepted, _)) = (client.expect("it is open"), accepted.expect("it is open"));
    log.saw("nodelay", &accepted.nodelay());
    log.saw("ttl", &accepted.ttl());
    log.saw("linger", &accepted.linger());
    drop(accepted);
    log.saw("read", &client.read(&mut [0; 9]).await);
}

async fn a_socket_is_bound_and_connects(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let socket = place.client_socket().expect("a socket");
    log.saw("port", &socket.local_addr().map(|local| local.port()));
    log.saw("bind", &socket.bind(SocketAddr::new(Place::CLIENT, 0)));
    let local = socket.local_addr().expect("it is bound");
    log.note("a port", local.port() != 0);
    log.note("error", socket.take_error().expect("it can be asked").map(|error| error.kind()));
    let to = listener.local_addr().expect("it listens");
    let (client, accepted) = tokio::join!(socket.connect(to), listener.accept());
    log.saw("its port", &client.and_then(|client| client.local_addr()).map(|address| address == local));
    log.saw("seen", &accepted.map(|(_, from)| from == local));
}

async fn a_socket_is_bound_and_listens(place: &Place, log: &Log) {
    let socket = place.server_socket().expect("a socket");
    log.saw("reuse", &socket.set_reuseaddr(true));
    log.saw("reuse", &socket.reuseaddr());
    log.saw("bind", &socket.bind(server(0)));
    let local = socket.local_addr().expect("it is bound");
    log.saw("too early", &place.connect(local).await.map(drop));
    let listener = socket.listen(8).expect("it is bound");
    log.saw("listens there", &listener.local_addr().map(|address| address == local));
    let (client, accepted) = tokio::join!(place.connect(local), listener.accept());
    log.saw("connect", &client.map(drop));
    log.saw("accept", &accepted.map(drop));
    let unbound = place.server_socket().expect("a socket").listen(8).expect("a port is free");
    log.saw("a port", &unbound.local_addr().map(|local| (local.ip().is_unspecified(), local.port() != 0)));
}

async fn a_socket_is_bound_once(place: &Place, log: &Log) {
    let socket = place.server_socket().expect("a socket");
    log.saw("bind", &socket.bind(server(0)));
    log.saw("again", &socket.bind(server(0)));
}

async fn a_socket_that_is_bound_is_in_the_way(place: &Place, log: &Log) {
    let first = place.server_socket().expect("a socket");
    first.bind(server(0)).expect("a port is free");
    let local = first.local_addr().expect("it is bound");
    let second = place.server_socket().expect("a socket");
    log.saw("bind", &second.bind(local));
    log.saw("everywhere", &second.bind(SocketAddr::from(([0, 0, 0, 0], local.port()))));
    drop(first);
    log.saw("bind", &second.bind(local));
    log.saw("listen", &second.listen(1).map(drop));
}

async fn a_socket_of_the_other_family(place: &Place, log: &Log) {
    let socket = place.client_socket().expect("a socket");
    log.saw("bind", &socket.bind("[::1]:0".parse().expect("an address")));
    log.saw("connect", &socket.connect("[::1]:80".parse().expect("an address")).await.map(drop));
}

async fn options_of_a_socket(place: &Place, log: &Log) {
    let socket = place.client_socket().expect("a socket");
    log.saw("keepalive", &socket.keepalive());
    log.saw("set", &socket.set_keepalive(true));
    log.saw("keepalive", &socket.keepalive());
    log.saw("nodelay", &socket.nodelay());
    log.saw("set", &socket.set_nodelay(true));
    log.saw("nodelay", &socket.nodelay());
    log.saw("linger", &socket.linger());
    log.saw("set", &socket.set_zero_linger());
    log.saw("linger", &socket.linger());
    log.saw("set", &socket.set_send_buffer_size(16_384));
    log.saw("set", &socket.set_recv_buffer_size(16_384));
    log.saw("room", &socket.send_buffer_size().map(|octets| octets >= 16_384));
    log.saw("room", &socket.recv_buffer_size().map(|octets| octets >= 16_384));
    log.saw("set", &socket.set_tos_v4(0x28));
    log.saw("class", &socket.tos_v4());
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let (client, accepted) = tokio::join!(socket.connect(to), listener.accept());
    let (client, (mut accepted, _)) = (client.expect("it is open"), accepted.expect("it is open"));
    log.saw("nodelay", &client.nodelay());
    log.saw("linger", &client.linger());
    drop(client);
    log.saw("read", &accepted.read(&mut [0; 9]).await);
}

async fn connecting_can_be_given_up(place: &Place, log: &Log) {
    let listener = place.listen(server(0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let given_up = tokio::time::timeout(Duration::ZERO, place.connect(to)).await;
    drop(given_up);
    place.settle().await;
    let (client, accepted) = tokio::join!(place.connect(to), listener.accept());
    log.saw("connect", &client.map(drop));
    log.saw("accept", &accepted.map(drop));
}
