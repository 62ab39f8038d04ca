//! The caller's memory: C structures in, plain values out, and back.
//!
//! Every function here takes pointers that packetdrill passes to a function of [`Interface`](crate::interface::Interface)
//! and trusts them as libc does: a pointer is null, or points at what the call's manual page says. Nothing is kept.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use bytes::Bytes;
use libc::{c_char, c_int, c_void, cmsghdr, iovec, msghdr, sockaddr, sockaddr_in, sockaddr_in6, socklen_t};
use wireglass::drill::posix::{Address, Control, Memory, OptionValue, Payload, Received};

/// Octets of a message that are believed: more than any script moves.
const MOST: usize = 1 << 30;
/// Pieces of a message that are believed (Linux's `UIO_MAXIOV`).
const MOST_PIECES: usize = 1024;
/// Ancillary data is aligned to this.
const ALIGNMENT: usize = size_of::<usize>();

/// Sets the calling thread's `errno`.
pub(crate) fn set_errno(number: c_int) {
    // SAFETY: glibc's location of errno is valid for the life of the calling thread, and nobody else's.
    unsafe { *libc::__errno_location() = number }
}

/// Gives a placeholder back to the kernel.
pub(crate) fn close(fd: c_int) {
    // SAFETY: the number was opened by us and is forgotten with this call; it touches no memory.
    unsafe { libc::close(fd) };
}

/// The kernel's name for the calling thread.
pub(crate) fn thread() -> c_int {
    // SAFETY: it takes nothing and touches no memory.
    unsafe { libc::gettid() }
}

/// libc's own `getsockopt`, for descriptors that are not the stack's.
///
/// # Safety
/// As for `getsockopt(2)`.
pub(crate) unsafe fn kernel_option(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller vouches for the pointers, which go to the kernel as they came.
    (unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, length) }) as c_int
}

/// libc's own `system`, found behind ours; -1 when there is none.
///
/// # Safety
/// As for `system(3)`.
pub(crate) unsafe fn shell(command: *const c_char) -> c_int {
    // SAFETY: a name that ends with a zero octet; the answer is null or the function that libc exports by that name.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"system".as_ptr()) };
    if found.is_null() {
        return -1;
    }
    // SAFETY: not null, and libc's `system` has this signature.
    let system: unsafe extern "C" fn(*const c_char) -> c_int = unsafe { std::mem::transmute(found) };
    // SAFETY: the caller vouches for the pointer, which goes to libc as it came.
    unsafe { system(command) }
}

/// Reads a value; `None` behind a null pointer.
///
/// # Safety
/// `at` is null or points at a readable `T`.
pub(crate) unsafe fn read<T: Copy>(at: *const T) -> Option<T> {
    // SAFETY: not null, so readable by the caller's word; it need not be aligned.
    (!at.is_null()).then(|| unsafe { at.read_unaligned() })
}

/// Writes a value; nothing behind a null pointer.
///
/// # Safety
/// `at` is null or points at a writable `T`.
pub(crate) unsafe fn write<T>(at: *mut T, value: T) {
    if !at.is_null() {
        // SAFETY: not null, so writable by the caller's word; it need not be aligned.
        unsafe { at.write_unaligned(value) }
    }
}

/// Whether something can be written there.
pub(crate) fn room<T>(at: *const T) -> Memory {
    if at.is_null() { Memory::Bad } else { Memory::Good }
}

/// What `send` is to send.
///
/// # Safety
/// `at` is null or points at `length` readable octets.
pub(crate) unsafe fn payload(at: *const c_void, length: usize) -> Payload {
    if length == 0 {
        return Payload::Data(Bytes::new());
    }
    if at.is_null() || length > MOST {
        return Payload::Bad(length);
    }
    // SAFETY: not null and not longer than an allocation may be; readable by the caller's word.
    Payload::Data(Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(at.cast::<u8>(), length) }))
}

/// Writes as many of `octets` as fit.
///
/// # Safety
/// `at` is null or points at `room` writable octets.
pub(crate) unsafe fn put(octets: &[u8], at: *mut c_void, room: usize) {
    let count = octets.len().min(room);
    if count > 0 && !at.is_null() {
        // SAFETY: `count` octets are readable in our slice and writable at `at`; the two cannot overlap.
        unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), at.cast::<u8>(), count) }
    }
}

/// An address that the caller gives.
///
/// # Safety
/// `at` is null or points at `length` readable octets.
pub(crate) unsafe fn address(at: *const sockaddr, length: socklen_t) -> Address {
    let length = length as usize;
    if at.is_null() {
        return Address::Bad;
    }
    if length < size_of::<libc::sa_family_t>() {
        return Address::Short;
    }
    // SAFETY: the caller vouches for `length` octets, and every read below stays within them.
    unsafe {
        match c_int::from(at.cast::<libc::sa_family_t>().read_unaligned()) {
            libc::AF_UNSPEC => Address::Unspecified,
            libc::AF_INET if length >= size_of::<sockaddr_in>() => {
                let v4 = at.cast::<sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Address::Internet(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
            }
            libc::AF_INET6 if length >= size_of::<sockaddr_in6>() => {
                let v6 = at.cast::<sockaddr_in6>().read_unaligned();
                let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
                Address::Internet(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            libc::AF_INET | libc::AF_INET6 => Address::Short,
            family => Address::Other(family as u16),
        }
    }
}

/// Tells an address, cut to the room there is, and its true length.
///
/// # Safety
/// `length` is null or points at a `socklen_t`, and `at` is null or points at so many writable octets.
pub(crate) unsafe fn put_address(address: SocketAddr, at: *mut sockaddr, length: *mut socklen_t) {
    let octets = address_octets(address);
    // SAFETY: as the caller says; `put` writes at most `room` octets.
    unsafe {
        let Some(room) = read(length) else { return };
        put(&octets, at.cast(), room as usize);
        write(length, octets.len() as socklen_t);
    }
}

/// A `sockaddr_in` or `sockaddr_in6` as it lies in memory.
fn address_octets(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as libc::sa_family_t;
    let mut octets = family.to_ne_bytes().to_vec();
    octets.extend(address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            octets.extend(v4.ip().octets());
            octets.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            octets.extend(v6.flowinfo().to_ne_bytes());
            octets.extend(v6.ip().octets());
            octets.extend(v6.scope_id().to_ne_bytes());
        }
    }
    octets
}

/// The pieces of a scattered message.
///
/// # Safety
/// `at` is null or points at `count` readable `iovec`s.
pub(crate) unsafe fn pieces(at: *const iovec, count: usize) -> Vec<iovec> {
    if at.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller says; each read stays within `count` structures.
    (0..count.min(MOST_PIECES)).map(|index| unsafe { at.add(index).read_unaligned() }).collect()
}

/// Octets that all pieces take.
pub(crate) fn total(pieces: &[iovec]) -> usize {
    pieces.iter().fold(0, |sum: usize, piece| sum.saturating_add(piece.iov_len))
}

/// Whether every piece that is not empty can be written to.
pub(crate) fn room_in(pieces: &[iovec]) -> Memory {
    let is_bad = pieces.iter().any(|piece| piece.iov_len > 0 && piece.iov_base.is_null());
    if is_bad { Memory::Bad } else { Memory::Good }
}

/// What the pieces hold, in one.
///
/// # Safety
/// Each piece is empty, null, or points at its length of readable octets.
pub(crate) unsafe fn gather(pieces: &[iovec]) -> Payload {
    let mut all = Vec::new();
    for piece in pieces {
        // SAFETY: as the caller says.
        match unsafe { payload(piece.iov_base, piece.iov_len) } {
            Payload::Data(data) => all.extend_from_slice(&data),
            Payload::Bad(_) => return Payload::Bad(total(pieces)),
        }
    }
    Payload::Data(all.into())
}

/// Spreads `octets` over the pieces.
///
/// # Safety
/// Each piece is empty, null, or points at its length of writable octets.
pub(crate) unsafe fn scatter(octets: &[u8], pieces: &[iovec]) {
    let mut rest = octets;
    for piece in pieces {
        let (now, later) = rest.split_at(rest.len().min(piece.iov_len));
        // SAFETY: as the caller says; no more than the piece's length is written.
        unsafe { put(now, piece.iov_base, piece.iov_len) };
        rest = later;
    }
}

/// The value of an option to be set: as it lies in memory, for the stack's side to read.
///
/// # Safety
/// `at` is null or points at `length` readable octets.
pub(crate) unsafe fn option(at: *const c_void, length: socklen_t) -> OptionValue {
    // SAFETY: as the caller says.
    match unsafe { payload(at, length as usize) } {
        Payload::Data(data) => OptionValue::Bytes(data),
        Payload::Bad(_) => OptionValue::Bad,
    }
}

/// Ancillary data that is sent.
///
/// # Safety
/// `message` holds a null or readable `msg_control` of `msg_controllen` octets.
pub(crate) unsafe fn control(message: &msghdr) -> Vec<Control> {
    // SAFETY: as the caller says.
    let Payload::Data(octets) = (unsafe { payload(message.msg_control, message.msg_controllen) }) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut rest = octets;
    while rest.len() >= size_of::<cmsghdr>() {
        let word = |at: usize| rest.get(at..at + 4).and_then(|word| word.try_into().ok()).map(i32::from_ne_bytes);
        let length = rest.get(..8).and_then(|word| word.try_into().ok()).map_or(0, usize::from_ne_bytes);
        let (Some(level), Some(kind)) = (word(8), word(12)) else { break };
        if length < size_of::<cmsghdr>() || length > rest.len() {
            break;
        }
        found.push(Control { level, kind, data: rest.slice(size_of::<cmsghdr>()..length) });
        rest = rest.slice(length.next_multiple_of(ALIGNMENT).min(rest.len())..);
    }
    found
}

/// Tells what `recvmsg` received, beside the data: the sender, ancillary data, flags.
///
/// # Safety
/// `message` is as `recvmsg(2)` wants it.
pub(crate) unsafe fn put_message(received: &Received, message: &mut msghdr) {
    message.msg_flags = received.flags;
    // SAFETY: as the caller says; every write is cut to the length that the message says.
    unsafe {
        match received.from {
            Some(from) => put_address(from, message.msg_name.cast(), &raw mut message.msg_namelen),
            None => message.msg_namelen = 0,
        }
        let mut octets = Vec::new();
        for control in &received.control {
            octets.extend((size_of::<cmsghdr>() + control.data.len()).to_ne_bytes());
            octets.extend(control.level.to_ne_bytes());
            octets.extend(control.kind.to_ne_bytes());
            octets.extend_from_slice(&control.data);
            octets.resize(octets.len().next_multiple_of(ALIGNMENT), 0);
        }
        if octets.len() > message.msg_controllen {
            message.msg_flags |= libc::MSG_CTRUNC;
        }
        put(&octets, message.msg_control, message.msg_controllen);
        message.msg_controllen = octets.len().min(message.msg_controllen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["192.0.2.1:8080", "[2001:db8::1]:443"] {
            let there: SocketAddr = text.parse().expect("an address");
            let octets = address_octets(there);
            let at = octets.as_ptr().cast();
            // SAFETY: the octets are a whole address.
            assert_eq!(unsafe { address(at, octets.len() as socklen_t) }, Address::Internet(there));
            // SAFETY: fewer octets than there are.
            assert_eq!(unsafe { address(at, 8) }, Address::Short);
        }
        // SAFETY: a null pointer is allowed.
        assert_eq!(unsafe { address(std::ptr::null(), 16) }, Address::Bad);
    }

    #[test]
    fn pieces_are_gathered_and_scattered_in_order() {
        let (mut one, mut two) = (*b"abc", *b"de");
        let piece = |octets: &mut [u8]| iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: octets.len() };
        let hole = iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let pieces = [piece(&mut one), hole, piece(&mut two)];
        // SAFETY: the pieces point at two live arrays.
        unsafe {
            assert_eq!(gather(&pieces), Payload::Data(Bytes::from_static(b"abcde")));
            scatter(b"VWXY", &pieces);
        }
        assert_eq!((total(&pieces), &one, &two), (5, b"VWX", b"Ye"));
        let bad = [iovec { iov_base: std::ptr::null_mut(), iov_len: 3 }];
        // SAFETY: null pieces are allowed.
        assert_eq!(unsafe { gather(&bad) }, Payload::Bad(3));
        assert_eq!(room_in(&bad), Memory::Bad);
    }

    #[test]
    fn ancillary_data_comes_back_as_it_went() {
        let sent = Control { level: 6, kind: 36, data: Bytes::from_static(&[1, 0, 0, 0]) };
        let received = Received { control: vec![sent.clone(), sent.clone()], ..Received::default() };
        let mut room = [0_u8; 64];
        // SAFETY: all zeros is a valid message.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        (message.msg_control, message.msg_controllen) = (room.as_mut_ptr().cast(), room.len());
        // SAFETY: the message points at a live array.
        unsafe { put_message(&received, &mut message) };
        assert_eq!((message.msg_controllen, message.msg_flags), (48, 0));
        // SAFETY: it still does.
        assert_eq!(unsafe { control(&message) }, [sent.clone(), sent]);
        message.msg_controllen = 20;
        // SAFETY: it still does.
        unsafe { put_message(&received, &mut message) };
        assert_eq!(message.msg_flags, libc::MSG_CTRUNC);
    }
}
