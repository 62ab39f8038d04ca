//! Packets in and out.

use libc::{c_int, c_longlong, c_void, size_t};
use wireglass::drill::posix::Payload;

use super::instance;
use crate::interface::Data;
use crate::memory;
use crate::network_time;

pub(crate) unsafe extern "C" fn netdev_send(data: Data, at: *const c_void, length: size_t) -> c_int {
    // SAFETY: as the module says.
    unsafe {
        match (instance(data), memory::payload(at, length)) {
            (Some(instance), Payload::Data(packet)) => {
                instance.inject(packet);
                0
            }
            (None, _) | (_, Payload::Bad(_)) => -1,
        }
    }
}

/// Waits for the next packet in virtual time. When none can ever come it answers one of no octets, at which packetdrill
/// ends the script; an error would make it ask again for ever.
pub(crate) unsafe extern "C" fn netdev_receive(
    data: Data,
    at: *mut c_void,
    length: *mut size_t,
    micros: *mut c_longlong,
) -> c_int {
    // SAFETY: as the module says; `at` has room for `length` octets.
    unsafe {
        let (Some(instance), Some(room)) = (instance(data), memory::read(length)) else { return -1 };
        let (moment, packet) = instance.next_departure().unwrap_or_else(|| (instance.now(), bytes::Bytes::new()));
        memory::put(&packet, at, room);
        memory::write(length, packet.len().min(room));
        memory::write(micros, network_time::micros(moment));
    }
    0
}
