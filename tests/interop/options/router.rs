//! A congested router before a kernel's door: it marks, and drops nothing.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};

use wireglass::door::{Door, DoorKind};
use wireglass::packet::Packet;
use wireglass::packet::dissect::Network;

use super::MARKED;
use super::evidence::Ends;

/// Counts the segments with data of every stream.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Ends, u32>>);

impl Turns {
    /// The how manieth of its stream the packet is, from 1; `None` without data.
    pub(super) fn count(&self, packet: &Packet) -> Option<u32> {
        let ends = with_data(packet)?;
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(ends).or_default();
        *turn += 1;
        Some(*turn)
    }
}

fn with_data(packet: &Packet) -> Option<Ends> {
    let dissection = packet.dissect();
    dissection.tcp().filter(|tcp| tcp.payload_len > 0)?;
    Ends::of(&dissection)
}

/// The streams of which a segment was marked.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Arc<Mutex<Vec<Ends>>>);

impl Marks {
    pub(super) fn take(&self) -> Vec<Ends> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A door with such a router before it.
pub(super) struct Router {
    door: Box<dyn Door>,
    turns: Turns,
    marks: Marks,
    /// A packet that the door did not take, as it was left: it has been counted, and is offered again.
    refused: Option<(Packet, Packet)>,
}

impl Router {
    pub(super) fn before(door: Box<dyn Door>) -> Router {
        Router { door, turns: Turns::default(), marks: Marks::default(), refused: None }
    }

    pub(super) fn marks(&self) -> Marks {
        self.marks.clone()
    }

    /// Marks the packet if its turn has come and its sender has said that it may be (RFC 3168 §5).
    fn pass(&self, packet: &mut Packet) {
        if self.turns.count(packet) != Some(MARKED) {
            return;
        }
        let dissection = packet.dissect();
        let may_be = matches!(&dissection.network, Some(Network::Ipv4(ip)) if [1, 2].contains(&ip.ecn));
        if let Some(ends) = Ends::of(&dissection).filter(|_| may_be) {
            mark(packet.headers_mut());
            self.marks.0.lock().unwrap_or_else(PoisonError::into_inner).push(ends);
        }
    }
}

/// Congestion experienced, and the header's checksum with it.
fn mark(header: &mut [u8]) {
    header[1] |= 3;
    header[10..12].fill(0);
    let length = usize::from(header[0] & 15) * 4;
    let words = header[..length].chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

impl Door for Router {
    fn kind(&self) -> DoorKind {
        self.door.kind()
    }

    fn mtu(&self) -> usize {
        self.door.mtu()
    }

    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize> {
        let before = batch.len();
        let taken = self.door.receive(batch, limit)?;
        batch[before..].iter_mut().for_each(|packet| self.pass(packet));
        Ok(taken)
    }

    fn send(&mut self, packet: &Packet) -> io::Result<()> {
        let passed = match self.refused.take() {
            Some((offered, passed)) if offered.id == packet.id => passed,
            _ => {
                let mut passed = packet.clone();
                self.pass(&mut passed);
                passed
            }
        };
        let taken = self.door.send(&passed);
        if taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.refused = Some((packet.clone(), passed));
        }
        taken
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.door.descriptor()
    }
}
