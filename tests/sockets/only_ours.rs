//! What has no counterpart on a loopback: hosts that cannot be reached, time-outs, Fast Open, congestion control.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use wireglass::socket::{TcpListener, TcpStream};
use wireglass::stack::{CongestionChoice, SocketOption, TcpConfig};

use super::ours::net::{Place, play};

fn server() -> SocketAddr {
    SocketAddr::new(Place::SERVER, 80)
}

/// Nobody has this address.
fn nobody() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 99], 80))
}

async fn kind_of<T>(verb: impl Future<Output = io::Result<T>>) -> Option<ErrorKind> {
    verb.await.err().map(|error| error.kind())
}

#[test]
fn where_no_route_leads_nothing_is_sent() {
    play(|place, _| async move {
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 80));
        assert_eq!(kind_of(place.connect(elsewhere)).await, Some(ErrorKind::NetworkUnreachable));
        let udp = place.udp(SocketAddr::new(Place::CLIENT, 0)).await.expect("a port is free");
        assert_eq!(kind_of(udp.send_to(b"x", elsewhere)).await, Some(ErrorKind::NetworkUnreachable));
        assert_eq!(kind_of(udp.connect(elsewhere)).await, Some(ErrorKind::NetworkUnreachable));
    });
}

/// RFC 9293 §3.8.3: with seven more SYNs, each twice as long after the last, an open is given up after some minutes.
#[test]
fn a_host_that_never_answers_times_out() {
    play(|place, _| async move {
        let began = tokio::time::Instant::now();
        assert_eq!(kind_of(place.connect(nobody())).await, Some(ErrorKind::TimedOut));
        assert_eq!(began.elapsed().as_secs(), 247, "1 + 2 + 4 + … + 64, then 120 at most");
    });
}

#[test]
fn a_time_out_of_the_applications_own_ends_an_open_and_leaves_nothing() {
    play(|place, _| async move {
        let attempt = tokio::time::timeout(Duration::from_millis(1_500), place.connect(nobody())).await;
        assert!(attempt.is_err());
        let patience = Some(Duration::from_secs(5));
        let config = TcpConfig { user_timeout: patience, ..TcpConfig::default() };
        let began = tokio::time::Instant::now();
        let refused = kind_of(TcpStream::connect_with(&place.client, None, nobody(), &config)).await;
        assert_eq!((refused, began.elapsed().as_secs()), (Some(ErrorKind::TimedOut), 5));
    });
}

async fn open(place: &Place) -> (TcpStream, TcpStream) {
    let listener = place.listen(SocketAddr::new(Place::SERVER, 0)).await.expect("a port is free");
    let to = listener.local_addr().expect("it listens");
    let (client, accepted) = tokio::join!(place.connect(to), listener.accept());
    (client.expect("it is open"), accepted.expect("it is open").0)
}

/// RFC 7413: the first connection asks for a cookie, the second brings its data with the SYN.
#[test]
fn fast_open_sends_the_first_data_with_the_syn() {
    play(|place, _| async move {
        let config = TcpConfig::default();
        let listener = TcpListener::bind_with(&place.server, server(), 8, &config).expect("the port is free");
        listener.set_option(SocketOption::FastOpenQueue(8)).expect("it listens");
        for went_with_the_syn in [false, true] {
            let opening = TcpStream::connect_with_data(&place.client, None, server(), &config, b"GET /");
            let (opened, accepted) = tokio::join!(opening, listener.accept());
            let ((client, taken), (mut accepted, _)) = (opened.expect("it opens"), accepted.expect("it opens"));
            assert_eq!(taken, 5);
            let mut asked = [0; 5];
            accepted.read_exact(&mut asked).await.expect("it is there");
            assert_eq!(&asked, b"GET /");
            let snapshot = client.snapshot().expect("it is open");
            assert_eq!(snapshot.syn_data.unwrap_or(false), went_with_the_syn);
        }
    });
}

#[test]
fn another_congestion_control_takes_over_a_connection_at_work() {
    play(|place, _| async move {
        let (mut client, mut accepted) = open(&place).await;
        let reading = tokio::task::spawn_local(async move {
            let mut received = Vec::new();
            accepted.read_to_end(&mut received).await.map(|octets| (octets, received.iter().all(|octet| *octet == 9)))
        });
        for choice in [
            CongestionChoice::Cubic,
            CongestionChoice::Bbr,
            CongestionChoice::None,
            CongestionChoice::Reno,
            CongestionChoice::Bbr,
        ] {
            client.write_all(&[9; 200_000]).await.expect("it is open");
            let before = client.snapshot().and_then(|snapshot| snapshot.cwnd);
            client.set_option(SocketOption::Congestion(choice)).expect("it is open");
            let after = client.snapshot().and_then(|snapshot| snapshot.cwnd);
            const BEYOND_ANY: u32 = 1 << 24;
            match choice {
                CongestionChoice::None => assert!(after > Some(BEYOND_ANY), "there is no window any more"),
                CongestionChoice::Reno => assert!(after < Some(BEYOND_ANY), "there is one again"),
                CongestionChoice::Cubic | CongestionChoice::Bbr => assert_eq!(after, before, "the window stays"),
            }
        }
        client.write_all(&[9; 200_000]).await.expect("it is open");
        assert!(client.snapshot().and_then(|snapshot| snapshot.cwnd) < Some(1 << 24), "none would have lifted it");
        client.shutdown().await.expect("it is open");
        assert_eq!(reading.await.expect("no panic").expect("it ends in order"), (1_200_000, true));
    });
}

/// One write of several parts is one push: the last octet alone carries PSH.
#[test]
fn parts_written_at_once_travel_as_one() {
    play(|place, _| async move {
        let (mut client, mut accepted) = open(&place).await;
        let parts = [io::IoSlice::new(b"HTTP/1.1 "), io::IoSlice::new(b"200 "), io::IoSlice::new(b"OK")];
        assert_eq!(client.write_vectored(&parts).await.expect("there is room"), 15);
        let snapshot = client.snapshot().expect("it is open");
        assert_eq!(snapshot.send_queue, 15);
        place.settle().await;
        let flight = client.snapshot().and_then(|snapshot| snapshot.flight).expect("it tells");
        assert_eq!(flight.delivered, 2, "the SYN, and one segment with all of it");
        assert_eq!(accepted.read(&mut [0; 99]).await.expect("it is there"), 15);
    });
}
