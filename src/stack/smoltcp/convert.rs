//! Between smoltcp's types and ours.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smoltcp::iface::Config;
use smoltcp::socket::tcp;
use smoltcp::time as smoltime;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint, IpListenEndpoint};

use crate::journal::TcpState;
use crate::packet::Medium;
use crate::stack::{Congestion, Interface, TcpConfig};
use crate::time::Instant;

/// smoltcp counts microseconds; the rest is cut, so that no timer fires early.
pub(super) fn smoltcp_instant(now: Instant) -> smoltime::Instant {
    smoltime::Instant::from_micros((now.as_nanos() / 1_000) as i64)
}

pub(super) fn our_instant(at: smoltime::Instant) -> Instant {
    Instant::from_nanos(u64::try_from(at.total_micros()).unwrap_or(0).saturating_mul(1_000))
}

pub(super) fn smoltcp_duration(span: Duration) -> smoltime::Duration {
    smoltime::Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

pub(super) fn socket_address(endpoint: IpEndpoint) -> SocketAddr {
    SocketAddr::new(ip_address(endpoint.addr), endpoint.port)
}

pub(super) fn ip_address(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(v4) => IpAddr::V4(v4),
        IpAddress::Ipv6(v6) => IpAddr::V6(v6),
    }
}

pub(super) fn cidr((address, prefix): (IpAddr, u8)) -> IpCidr {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    IpCidr::new(address.into(), prefix.min(longest))
}

pub(super) fn interface_config(interface: &Interface, seed: u64) -> Config {
    let mut config = Config::new(match interface.medium {
        Medium::Ip => HardwareAddress::Ip,
        Medium::Ethernet => HardwareAddress::Ethernet(EthernetAddress(interface.mac)),
    });
    config.random_seed = seed;
    config
}

pub(super) fn state(state: tcp::State) -> TcpState {
    match state {
        tcp::State::Closed => TcpState::Closed,
        tcp::State::Listen => TcpState::Listen,
        tcp::State::SynSent => TcpState::SynSent,
        tcp::State::SynReceived => TcpState::SynReceived,
        tcp::State::Established => TcpState::Established,
        tcp::State::FinWait1 => TcpState::FinWait1,
        tcp::State::FinWait2 => TcpState::FinWait2,
        tcp::State::CloseWait => TcpState::CloseWait,
        tcp::State::Closing => TcpState::Closing,
        tcp::State::LastAck => TcpState::LastAck,
        tcp::State::TimeWait => TcpState::TimeWait,
    }
}

/// A TCP socket with buffers of its own, set up as asked.
pub(super) fn tcp_socket(config: &TcpConfig) -> tcp::Socket<'static> {
    let receive = tcp::SocketBuffer::new(vec![0; config.receive_buffer.max(1)]);
    let send = tcp::SocketBuffer::new(vec![0; config.send_buffer.max(1)]);
    let mut socket = tcp::Socket::new(receive, send);
    socket.set_nagle_enabled(!config.no_delay);
    socket.set_ack_delay(config.delayed_ack.map(smoltcp_duration));
    set_patience(&mut socket, config.user_timeout);
    socket.set_keep_alive(config.keep_alive.map(smoltcp_duration));
    socket.set_congestion_control(match config.congestion {
        Congestion::None => tcp::CongestionControl::None,
        // Nearest to what it has not.
        Congestion::Reno | Congestion::Bbr | Congestion::Other(_) => tcp::CongestionControl::Reno,
        Congestion::Cubic => tcp::CongestionControl::Cubic,
    });
    socket
}

/// How long the peer may be silent while it owes an answer, before the connection is given up; `None` is for ever.
pub(super) fn set_patience(socket: &mut tcp::Socket<'_>, patience: Option<Duration>) {
    socket.set_timeout(patience.map(smoltcp_duration));
}

pub(super) fn listen_endpoint(local: SocketAddr) -> IpListenEndpoint {
    let addr = (!local.ip().is_unspecified()).then(|| local.ip().into());
    IpListenEndpoint { addr, port: local.port() }
}
