//! The three doors, over descriptors that the holder opened in a node's namespace.
//!
//! None of them sends or takes a virtio header, so every packet is one that a wire could carry: at most the MTU,
//! checksums full. On TAP and veth the stack outside may use any Ethernet address it likes: a TAP reader sees every
//! frame, and the veth socket listens promiscuously. The kernel's neighbours are found by ARP and neighbour discovery
//! like any other's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use bytes::Bytes;
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use pnet::datalink::{self, Channel, ChannelType, DataLinkReceiver, DataLinkSender, MacAddr, NetworkInterface};

use super::wire::NodeReport;
use crate::door::{Door, DoorKind};
use crate::packet::{Checksum, Medium, Packet};

/// Room for the longest network packet and an Ethernet header with a VLAN tag.
const LONGEST_FRAME: usize = 65_535 + 18;

/// The door that the holder has opened.
pub(super) fn open(device: OwnedFd, report: &NodeReport, mtu: u16) -> io::Result<Box<dyn Door>> {
    let mtu = usize::from(mtu);
    Ok(match report.door {
        kind @ (DoorKind::Tun | DoorKind::Tap) => Box::new(DeviceDoor::new(kind, device, mtu)),
        DoorKind::Veth => Box::new(VethDoor::new(device, report.interface, mtu)?),
    })
}

/// What a packet must be before a plain device can take it.
fn fit(packet: &Packet, medium: Medium, mtu: usize) -> io::Result<()> {
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if packet.medium() != medium {
        return refuse("the packet is of the other medium than the door");
    }
    if packet.network_len() > mtu {
        return refuse("the packet is longer than the door's MTU");
    }
    if packet.gso_size().is_some() || packet.checksum() != Checksum::Full {
        return refuse("the packet must be cut and its checksum filled in before it goes out of a door");
    }
    Ok(())
}

/// What an error of a device means for whoever sends, as [`Door::send`] promises it.
fn refusal(errno: Errno) -> io::Error {
    match errno {
        // A full queue is the same as not taking more just now.
        Errno::EAGAIN | Errno::ENOBUFS => io::ErrorKind::WouldBlock.into(),
        // The kernel looks into the packet: TUN refuses what is neither IPv4 nor IPv6, a packet socket what is too long.
        Errno::EINVAL | Errno::EMSGSIZE => {
            io::Error::new(io::ErrorKind::InvalidInput, format!("the kernel does not take this packet ({errno})"))
        }
        _ => errno.into(),
    }
}

/// A TUN device (bare IP packets) or a TAP device (Ethernet frames): one packet for each system call.
pub struct DeviceDoor {
    kind: DoorKind,
    descriptor: OwnedFd,
    mtu: usize,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl DeviceDoor {
    fn new(kind: DoorKind, descriptor: OwnedFd, mtu: usize) -> DeviceDoor {
        DeviceDoor { kind, descriptor, mtu, incoming: vec![0; LONGEST_FRAME], outgoing: Vec::new() }
    }
}

impl Door for DeviceDoor {
    fn kind(&self) -> DoorKind {
        self.kind
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize> {
        let mut taken = 0;
        while taken < limit {
            match nix::unistd::read(&self.descriptor, &mut self.incoming) {
                Ok(0) => return Err(Errno::ENODEV.into()),
                Ok(length) => {
                    let frame = self.incoming.get(..length).unwrap_or_default();
                    batch.push(Packet::from_wire(self.kind.medium(), Bytes::copy_from_slice(frame)));
                    taken += 1;
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(taken)
    }

    fn send(&mut self, packet: &Packet) -> io::Result<()> {
        fit(packet, self.kind.medium(), self.mtu)?;
        self.outgoing.clear();
        packet.write_to(&mut self.outgoing);
        loop {
            match nix::unistd::write(&self.descriptor, &self.outgoing) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(refusal(errno)),
            }
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The far end of a veth pair, read and written through an AF_PACKET socket.
///
/// The far end stands in a namespace of its own, without addresses, so that the node's kernel sees one interface only
/// and no other kernel answers on the wire.
pub struct VethDoor {
    /// A second descriptor of the socket that `receiver` and `sender` own, to wait on.
    descriptor: OwnedFd,
    receiver: Box<dyn DataLinkReceiver>,
    sender: Box<dyn DataLinkSender>,
    mtu: usize,
    outgoing: Vec<u8>,
}

impl VethDoor {
    fn new(socket: OwnedFd, interface: u32, mtu: usize) -> io::Result<VethDoor> {
        let descriptor = socket.try_clone()?;
        let far_end = NetworkInterface {
            name: String::new(),
            description: String::new(),
            index: interface,
            mac: Some(MacAddr::zero()),
            ips: Vec::new(),
            flags: 0,
        };
        let config = datalink::Config {
            read_buffer_size: LONGEST_FRAME,
            // A timeout of zero makes `next` and `send_to` look once and return: they never wait.
            read_timeout: Some(Duration::ZERO),
            write_timeout: Some(Duration::ZERO),
            channel_type: ChannelType::Layer2,
            promiscuous: true,
            socket_fd: Some(socket.into_raw_fd()),
            ..datalink::Config::default()
        };
        match datalink::channel(&far_end, config)? {
            Channel::Ethernet(sender, receiver) => {
                Ok(VethDoor { descriptor, receiver, sender, mtu, outgoing: Vec::new() })
            }
            _ => Err(Errno::EPROTONOSUPPORT.into()),
        }
    }

    /// What is behind an error: pnet reports a device that went down as an unnamed poll event, the socket knows its
    /// name.
    fn cause(&self, error: io::Error) -> io::Error {
        match getsockopt(&self.descriptor, sockopt::SocketError) {
            Ok(number) if number != 0 => io::Error::from_raw_os_error(number),
            Ok(_) | Err(_) => error,
        }
    }
}

impl Door for VethDoor {
    fn kind(&self) -> DoorKind {
        DoorKind::Veth
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize> {
        let mut taken = 0;
        while taken < limit {
            match self.receiver.next() {
                Ok(frame) => {
                    batch.push(Packet::from_wire(Medium::Ethernet, Bytes::copy_from_slice(frame)));
                    taken += 1;
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(self.cause(error)),
                },
            }
        }
        Ok(taken)
    }

    fn send(&mut self, packet: &Packet) -> io::Result<()> {
        fit(packet, Medium::Ethernet, self.mtu)?;
        self.outgoing.clear();
        packet.write_to(&mut self.outgoing);
        let Some(outcome) = self.sender.send_to(&self.outgoing, None) else {
            return Err(refusal(Errno::EMSGSIZE));
        };
        outcome.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => io::ErrorKind::WouldBlock.into(),
            _ => {
                let cause = if error.raw_os_error().is_some() { error } else { self.cause(error) };
                cause.raw_os_error().map_or(cause, |number| refusal(Errno::from_raw(number)))
            }
        })
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_one_packet_is_told_apart_from_a_dead_device() {
        for errno in [Errno::EINVAL, Errno::EMSGSIZE] {
            assert_eq!(refusal(errno).kind(), io::ErrorKind::InvalidInput, "{errno}");
        }
        for errno in [Errno::EAGAIN, Errno::ENOBUFS] {
            assert_eq!(refusal(errno).kind(), io::ErrorKind::WouldBlock, "{errno}");
        }
        for errno in [Errno::ENETDOWN, Errno::EIO, Errno::EBADFD, Errno::ENXIO, Errno::ENODEV] {
            let error = refusal(errno);
            assert_eq!(error.raw_os_error(), Some(errno as i32));
            assert!(!matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::WouldBlock), "{errno}");
        }
    }
}
