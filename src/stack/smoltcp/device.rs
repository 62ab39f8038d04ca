//! The device smoltcp believes in: two queues of frames.

use std::collections::VecDeque;

use bytes::Bytes;
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities};
use smoltcp::time::Instant;

use crate::packet::Medium;
use crate::packet::dissect::link_header_length;

/// Frames waiting to be taken in, and frames that smoltcp has sent.
pub(super) struct Queues {
    pub(super) inbound: VecDeque<Bytes>,
    pub(super) outbound: VecDeque<Bytes>,
    medium: Medium,
    mtu: usize,
}

impl Queues {
    /// `mtu` counts network octets, without the link header.
    pub(super) fn new(medium: Medium, mtu: usize) -> Queues {
        Queues { inbound: VecDeque::new(), outbound: VecDeque::new(), medium, mtu }
    }
}

impl phy::Device for Queues {
    type RxToken<'a> = Arriving;
    type TxToken<'a> = Departing<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Arriving, Departing<'_>)> {
        let frame = self.inbound.pop_front()?;
        Some((Arriving(frame), Departing(&mut self.outbound)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Departing<'_>> {
        Some(Departing(&mut self.outbound))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = match self.medium {
            Medium::Ip => phy::Medium::Ip,
            Medium::Ethernet => phy::Medium::Ethernet,
        };
        capabilities.max_transmission_unit = self.mtu + link_header_length(self.medium);
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities
    }
}

pub(super) struct Arriving(Bytes);

impl phy::RxToken for Arriving {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(super) struct Departing<'a>(&'a mut VecDeque<Bytes>);

impl phy::TxToken for Departing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.push_back(frame.into());
        result
    }
}
