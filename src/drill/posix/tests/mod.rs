//! Two processes over two stacks, joined by hand in virtual time.

mod connections;
mod fast_open;
mod options;
mod readiness;
mod transfer;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use super::names::*;
use super::*;
use crate::packet::{Medium, Packet};
use crate::stack::{Interface, StackConfig, StackKind, TcpConfig};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
const PORT: u16 = 8080;

/// One end of the wire.
struct Host {
    posix: Posix,
    now: Instant,
}

/// Both ends, and what is between them.
struct World {
    client: Host,
    server: Host,
    now: Instant,
    /// Nothing arrives any more.
    is_cut: bool,
}

fn process(own: [u8; 4]) -> Host {
    process_over(StackKind::Smoltcp, own)
}

fn process_over(kind: StackKind, own: [u8; 4]) -> Host {
    let interface = Interface {
        medium: Medium::Ip,
        mac: [0; 6],
        addresses: vec![(IpAddr::from(own), 24)],
        gateways: Vec::new(),
        mtu: 1500,
    };
    let config = StackConfig { interface, seed: 1, tcp: TcpConfig { delayed_ack: None, ..TcpConfig::default() } };
    let stack = kind.make(&config, Instant::ZERO);
    Host { posix: Posix::new(stack, Sysctls::default()), now: Instant::ZERO }
}

fn value(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Done(reply) => reply.value,
        other => panic!("{other:?}"),
    }
}

fn blocked(outcome: Outcome) -> Blocked {
    match outcome {
        Outcome::WouldBlock(blocked) => blocked,
        other => panic!("{other:?}"),
    }
}

fn failed(errno: Errno) -> Outcome {
    Outcome::Failed(errno)
}

fn internet(ip: [u8; 4], port: u16) -> Address {
    Address::Internet(SocketAddr::from((ip, port)))
}

impl Host {
    fn call(&mut self, request: Request) -> Outcome {
        self.posix.call(self.now, &request)
    }

    fn again(&mut self, request: Request, blocked: Blocked) -> Outcome {
        self.posix.again(self.now, &request, blocked)
    }

    fn socket(&mut self) -> i32 {
        value(self.call(Request::Socket { domain: AF_INET, kind: SOCK_STREAM, protocol: IPPROTO_TCP })) as i32
    }

    fn datagrams(&mut self) -> i32 {
        value(self.call(Request::Socket { domain: AF_INET, kind: SOCK_DGRAM, protocol: 0 })) as i32
    }

    fn bind(&mut self, fd: i32, ip: [u8; 4], port: u16) -> Outcome {
        self.call(Request::Bind { fd, address: internet(ip, port) })
    }

    /// A listener on [`PORT`].
    fn listener(&mut self) -> i32 {
        let fd = self.socket();
        assert_eq!(self.bind(fd, SERVER, PORT), Outcome::OK);
        assert_eq!(self.call(Request::Listen { fd, backlog: 4 }), Outcome::OK);
        fd
    }

    fn nonblocking(&mut self, fd: i32) {
        let argument = (O_RDWR | O_NONBLOCK).into();
        assert_eq!(self.call(Request::Fcntl { fd, command: F_SETFL, argument }), Outcome::OK);
    }

    fn connect(&mut self, fd: i32) -> Outcome {
        self.call(connecting(fd))
    }

    fn send(&mut self, fd: i32, data: &[u8]) -> Outcome {
        self.call(sending(fd, data))
    }

    fn receive(&mut self, fd: i32, length: usize, flags: i32) -> Outcome {
        self.call(Request::Receive { fd, length, flags, memory: Memory::Good })
    }

    /// What `read` gives, as text.
    fn read(&mut self, fd: i32) -> String {
        match self.receive(fd, 100_000, 0) {
            Outcome::Done(Reply { written: Written::Received(received), .. }) => {
                String::from_utf8_lossy(&received.data).into_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    fn close(&mut self, fd: i32) -> Outcome {
        self.call(Request::Close { fd })
    }

    fn set(&mut self, fd: i32, level: i32, name: i32, number: i32) -> Outcome {
        self.call(Request::SetSockOpt { fd, level, name, value: OptionValue::Int(number) })
    }

    fn option(&mut self, fd: i32, level: i32, name: i32) -> OptionValue {
        match self.call(Request::GetSockOpt { fd, level, name }) {
            Outcome::Done(Reply { written: Written::Option(value), .. }) => value,
            other => panic!("{other:?}"),
        }
    }

    /// `SO_ERROR`, told and forgotten.
    fn error(&mut self, fd: i32) -> Errno {
        match self.option(fd, SOL_SOCKET, SO_ERROR) {
            OptionValue::Int(number) => Errno(number),
            other => panic!("{other:?}"),
        }
    }

    /// What `poll` says at once of a descriptor that is asked for everything.
    fn polled(&mut self, fd: i32) -> i32 {
        let events = (POLLIN | POLLOUT | POLLRDHUP | POLLPRI) as i16;
        let fds = vec![PollFd { fd, events, revents: 0 }];
        match self.call(Request::Poll { fds, timeout: Some(Duration::ZERO) }) {
            Outcome::Done(Reply { written: Written::Poll(fds), .. }) => fds[0].revents.into(),
            other => panic!("{other:?}"),
        }
    }

    fn departing(&mut self) -> Vec<Packet> {
        let packets = std::iter::from_fn(|| self.posix.stack().transmit(self.now)).map(|(packet, _)| packet).collect();
        self.posix.settle();
        packets
    }

    fn arriving(&mut self, mut packets: Vec<Packet>) {
        self.posix.stack().receive(self.now, &mut packets);
        self.posix.settle();
    }
}

fn connecting(fd: i32) -> Request {
    Request::Connect { fd, address: internet(SERVER, PORT) }
}

fn sending(fd: i32, data: &[u8]) -> Request {
    let data = Payload::Data(Bytes::copy_from_slice(data));
    Request::Send { fd, data, flags: 0, to: None, control: Vec::new() }
}

impl World {
    fn new() -> World {
        World::over(StackKind::Smoltcp)
    }

    fn over(kind: StackKind) -> World {
        let (client, server) = (process_over(kind, CLIENT), process_over(kind, SERVER));
        World { client, server, now: Instant::ZERO, is_cut: false }
    }

    /// Carries packets to and fro until none is left.
    fn pump(&mut self) {
        for _ in 0..1_000 {
            let (there, back) = (self.client.departing(), self.server.departing());
            if there.is_empty() && back.is_empty() {
                return;
            }
            if !self.is_cut {
                self.server.arriving(there);
                self.client.arriving(back);
            }
        }
        panic!("they never fall silent");
    }

    /// Lets so much time pass, with every timer in its turn.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.pump();
            let deadlines = [self.client.posix.stack().deadline(), self.server.posix.stack().deadline()];
            let next = deadlines.iter().flatten().map(|(at, _)| *at).min().filter(|at| *at <= end);
            self.now = next.unwrap_or(end).max(self.now);
            for host in [&mut self.client, &mut self.server] {
                host.now = self.now;
                host.posix.stack().expire(self.now);
                host.posix.settle();
            }
            if next.is_none() {
                return self.pump();
            }
        }
    }

    /// A connection: the client's descriptor, the server's, and its listener's.
    fn connected() -> (World, i32, i32, i32) {
        World::connected_with(StackKind::Smoltcp)
    }

    fn connected_with(kind: StackKind) -> (World, i32, i32, i32) {
        let mut world = World::over(kind);
        let listener = world.server.listener();
        let client = world.client.socket();
        let connect = blocked(world.client.connect(client));
        world.pump();
        assert_eq!(world.client.again(connecting(client), connect), Outcome::OK);
        let server = value(world.server.call(Request::Accept { fd: listener, flags: 0 })) as i32;
        (world, client, server, listener)
    }
}
