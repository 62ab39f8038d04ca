//! Interfaces, addresses and routes, through netlink.
//!
//! `rtnetlink` is asynchronous; this process is not. Each call has a current-thread runtime of its own, whose netlink
//! socket belongs to the namespace that the process stands in at that moment.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage};
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection};

use crate::door::DoorKind;
use crate::host::error::{Errno, HolderError};
use crate::host::node::{NodeSetup, Route};

/// Packets that the kernel may queue in a TUN or TAP device: losses must come from links, not from a full queue.
const DEVICE_QUEUE: u32 = 10_000;

/// Runs one piece of netlink work. `what` says in an error what was being done.
fn netlink<W>(setup: &NodeSetup, work: W) -> Result<(), HolderError>
where
    W: AsyncFnOnce(Handle) -> Result<(), HolderError>,
{
    let failed = |error: io::Error| refused(setup, "a netlink socket", Errno::of(&error));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    runtime.block_on(async {
        let (connection, handle, _) = new_connection().map_err(failed)?;
        let connection = tokio::spawn(connection);
        let outcome = work(handle).await;
        connection.abort();
        outcome
    })
}

fn refused(setup: &NodeSetup, what: &str, errno: Errno) -> HolderError {
    HolderError::Configure { node: setup.name.clone(), what: what.to_owned(), errno }
}

/// Names what was being done in netlink's error.
fn explain<'a>(setup: &'a NodeSetup, what: &'a str) -> impl Fn(rtnetlink::Error) -> HolderError + 'a {
    move |error| {
        let errno = match error {
            rtnetlink::Error::NetlinkError(message) => Errno(message.raw_code().saturating_neg()),
            _ => Errno(nix::libc::EPROTO),
        };
        refused(setup, what, errno)
    }
}

fn index_of(setup: &NodeSetup, interface: &str) -> Result<u32, HolderError> {
    if_nametoindex(interface).map_err(|errno| refused(setup, &format!("interface {interface}"), errno.into()))
}

/// Makes a veth pair: `near` here, `far` in `outside`.
pub(super) fn add_veth(setup: &NodeSetup, near: &str, far: &str, outside: &OwnedFd) -> Result<(), HolderError> {
    let far_end = LinkUnspec::new_with_name(far).mtu(setup.mtu.into()).setns_by_fd(outside.as_raw_fd()).build();
    let pair = LinkMessageBuilder::<LinkVeth>::new(near, far).set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)));
    netlink(setup, async |handle| {
        handle.link().add(pair.build()).execute().await.map_err(|error| match explain(setup, "a veth pair")(error) {
            HolderError::Configure { node, errno, .. } => HolderError::Door { kind: DoorKind::Veth, node, errno },
            other => other,
        })
    })
}

/// Brings an interface up.
pub(super) fn bring_up(setup: &NodeSetup, interface: &str) -> Result<(), HolderError> {
    let up = LinkUnspec::new_with_index(index_of(setup, interface)?).up().build();
    netlink(setup, async |handle| change(&handle, setup, up, "bringing its interface up").await)
}

/// How long the kernel may take to answer for an IPv6 address. It needs milliseconds.
const SETTLING: Duration = Duration::from_secs(10);

/// Waits until the kernel answers for every IPv6 address of this namespace.
///
/// It takes them into use from a work queue, even when it need not look for duplicates (RFC 4862 §5.4), and until then
/// is deaf to whoever asks for them.
fn await_addresses(setup: &NodeSetup) -> Result<(), HolderError> {
    let deadline = Instant::now() + SETTLING;
    while has_tentative_address() {
        if Instant::now() > deadline {
            return Err(refused(setup, "an IPv6 address in time", Errno(nix::libc::ETIMEDOUT)));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn has_tentative_address() -> bool {
    const TENTATIVE: u32 = 0x40;
    // Address, interface, prefix length, scope, flags, name; no such file without IPv6.
    let list = fs::read_to_string("/proc/self/net/if_inet6").unwrap_or_default();
    list.lines()
        .filter_map(|line| u32::from_str_radix(line.split_whitespace().nth(4)?, 16).ok())
        .any(|flags| flags & TENTATIVE != 0)
}

async fn change(handle: &Handle, setup: &NodeSetup, message: LinkMessage, what: &str) -> Result<(), HolderError> {
    handle.link().change(message).execute().await.map_err(explain(setup, what))
}

/// Gives the kernel's interface its Ethernet address, MTU, addresses and routes, and brings it and the loopback up.
pub(super) fn configure(setup: &NodeSetup, interface: &str, door: DoorKind) -> Result<(), HolderError> {
    let index = index_of(setup, interface)?;
    let loopback = index_of(setup, "lo")?;
    netlink(setup, async |handle| {
        change(&handle, setup, LinkUnspec::new_with_index(loopback).up().build(), "bringing the loopback up").await?;
        let mut before = LinkUnspec::new_with_index(index).mtu(setup.mtu.into());
        if let (Some(mac), DoorKind::Tap | DoorKind::Veth) = (setup.mac, door) {
            before = before.address(mac.to_vec());
        }
        if let DoorKind::Tun | DoorKind::Tap = door {
            before = before.append_extra_attribute(LinkAttribute::TxQueueLen(DEVICE_QUEUE));
        }
        let what = format!("MTU {} or the Ethernet address", setup.mtu);
        change(&handle, setup, before.build(), &what).await?;
        for (address, prefix) in &setup.kernel_addresses {
            let what = format!("address {address}/{prefix}");
            let request = handle.address().add(index, *address, *prefix);
            request.execute().await.map_err(explain(setup, &what))?;
        }
        let up = LinkUnspec::new_with_index(index).up().build();
        change(&handle, setup, up, "bringing its interface up").await?;
        for route in &setup.routes {
            let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
            let what = format!("route {}/{}{via}", route.destination, route.prefix);
            let Some(message) = route_message(route, index) else {
                return Err(refused(setup, &what, Errno(nix::libc::EAFNOSUPPORT)));
            };
            handle.route().add(message).execute().await.map_err(explain(setup, &what))?;
        }
        Ok(())
    })?;
    await_addresses(setup)
}

/// `None` when destination and gateway are of different families.
fn route_message(route: &Route, interface: u32) -> Option<RouteMessage> {
    match (route.destination, route.via) {
        (IpAddr::V4(to), None) => {
            let built = RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix(to, route.prefix);
            // Scope link: the destination itself is the neighbour.
            let scope = rtnetlink::packet_route::route::RouteScope::Link;
            Some(built.output_interface(interface).scope(scope).build())
        }
        (IpAddr::V4(to), Some(IpAddr::V4(via))) => {
            let built = RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix(to, route.prefix);
            Some(built.output_interface(interface).gateway(via).build())
        }
        (IpAddr::V6(to), None) => {
            let built = RouteMessageBuilder::<std::net::Ipv6Addr>::new().destination_prefix(to, route.prefix);
            Some(built.output_interface(interface).build())
        }
        (IpAddr::V6(to), Some(IpAddr::V6(via))) => {
            let built = RouteMessageBuilder::<std::net::Ipv6Addr>::new().destination_prefix(to, route.prefix);
            Some(built.output_interface(interface).gateway(via).build())
        }
        (IpAddr::V4(_), Some(IpAddr::V6(_))) | (IpAddr::V6(_), Some(IpAddr::V4(_))) => None,
    }
}
