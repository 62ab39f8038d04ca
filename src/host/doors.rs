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
        DoorKind::Tun => Box::new(TunDoor { device: Device::new(device, Medium::Ip, mtu) }),
        DoorKind::Tap => Box::new(TapDoor { device: Device::new(device, Medium::Ethernet, mtu) }),
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

/// A character device that gives and takes one packet per system call.
struct Device {
    descriptor: OwnedFd,
    medium: Medium,
    mtu: usize,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Device {
    fn new(descriptor: OwnedFd, medium: Medium, mtu: usize) -> Device {
        Device { descriptor, medium, mtu, incoming: vec![0; LONGEST_FRAME], outgoing: Vec::new() }
    }

    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize> {
        let mut taken = 0;
        while taken < limit {
            match nix::unistd::read(&self.descriptor, &mut self.incoming) {
                Ok(0) => return Err(Errno::ENODEV.into()),
                Ok(length) => {
                    let frame = self.incoming.get(..length).unwrap_or_default();
                    batch.push(Packet::from_wire(self.medium, Bytes::copy_from_slice(frame)));
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
        fit(packet, self.medium, self.mtu)?;
        self.outgoing.clear();
        packet.write_to(&mut self.outgoing);
        loop {
            match nix::unistd::write(&self.descriptor, &self.outgoing) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                // EAGAIN becomes WouldBlock.
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// A TUN device: bare IP packets.
pub struct TunDoor {
    device: Device,
}

impl Door for TunDoor {
    fn kind(&self) -> DoorKind {
        DoorKind::Tun
    }

    fn mtu(&self) -> usize {
        self.device.mtu
    }

    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize> {
        self.device.receive(batch, limit)
    }

    fn send(&mut self, packet: &Packet) -> io::Result<()> {
        self.device.send(packet)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.device.descriptor.as_fd()
    }
}

/// A TAP device: Ethernet frames.
pub struct TapDoor {
    device: Device,
}

impl Door for TapDoor {
    fn kind(&self) -> DoorKind {
        DoorKind::Tap
    }

    fn mtu(&self) -> usize {
        self.device.mtu
    }

    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize> {
        self.device.receive(batch, limit)
    }

    fn send(&mut self, packet: &Packet) -> io::Result<()> {
        self.device.send(packet)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.device.descriptor.as_fd()
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
            return Err(Errno::EMSGSIZE.into());
        };
        outcome.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => io::ErrorKind::WouldBlock.into(),
            _ => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                // The queue of the device is full: the same as not taking more just now.
                Errno::ENOBUFS => io::ErrorKind::WouldBlock.into(),
                _ => self.cause(error),
            },
        })
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
