//! The library as packetdrill sees it: raw pointers, one script's worth of calls.

use std::ffi::CString;
use std::net::SocketAddr;
use std::ptr::{null, null_mut};

use bytes::Bytes;
use libc::{c_int, c_longlong, sockaddr, socklen_t, timeval};
use wireglass::packet::dissect::Tcp;
use wireglass::packet::{Dissection, Medium, SeqNum};

use super::*;
use crate::memory;

const LOCAL: [u8; 4] = [192, 168, 0, 1];
const REMOTE: [u8; 4] = [192, 0, 2, 1];
const PORT: u16 = 8080;
const REMOTE_PORT: u16 = 40_000;

/// packetdrill, as far as the library can tell.
struct Driver {
    interface: Interface,
}

/// A number that packetdrill's threads may share.
#[derive(Clone, Copy)]
struct Shared(Interface);

// SAFETY: every function of the interface may be called from any thread; the instance behind it has a lock.
unsafe impl Send for Shared {}

impl Shared {
    fn interface(self) -> Interface {
        self.0
    }
}

/// `sockaddr_in` of an address.
fn socket_address(ip: [u8; 4], port: u16) -> ([u8; 16], socklen_t) {
    let mut octets = [0; 16];
    let mut length = 16;
    // SAFETY: the array has room for an IPv4 address.
    unsafe { memory::put_address(SocketAddr::from((ip, port)), octets.as_mut_ptr().cast(), &raw mut length) };
    (octets, length)
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().expect("libc's errors have numbers")
}

impl Driver {
    fn new(flags: &str) -> Driver {
        let flags = CString::new(flags).expect("no zero octet");
        let mut interface = std::mem::MaybeUninit::uninit();
        // SAFETY: a text, and room for the structure, which is then filled.
        let interface = unsafe {
            packetdrill_interface_init(flags.as_ptr(), interface.as_mut_ptr());
            interface.assume_init()
        };
        Driver { interface }
    }

    fn socket(&self) -> c_int {
        // SAFETY: no pointers but our own.
        unsafe { (self.interface.socket)(self.interface.userdata, libc::AF_INET, libc::SOCK_STREAM, 0) }
    }

    fn listener(&self) -> c_int {
        let fd = self.socket();
        let (octets, length) = socket_address(LOCAL, PORT);
        // SAFETY: the address is a live array of that length.
        unsafe {
            assert_eq!((self.interface.bind)(self.interface.userdata, fd, octets.as_ptr().cast(), length), 0);
            assert_eq!((self.interface.listen)(self.interface.userdata, fd, 5), 0);
        }
        fd
    }

    /// The remote end sends a segment.
    fn inject(&self, flags: &str, seq: u32, ack: u32, data: &[u8]) {
        let tcp = etherparse::TcpHeader {
            source_port: REMOTE_PORT,
            destination_port: PORT,
            sequence_number: seq,
            acknowledgment_number: ack,
            window_size: 60_000,
            syn: flags.contains('S'),
            ack: flags.contains('A'),
            fin: flags.contains('F'),
            ..etherparse::TcpHeader::default()
        };
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4(REMOTE, LOCAL, 64).tcp_header(tcp);
        builder.write(&mut packet, data).expect("a vector takes every packet");
        // SAFETY: a live vector of that length.
        let sent =
            unsafe { (self.interface.netdev_send)(self.interface.userdata, packet.as_ptr().cast(), packet.len()) };
        assert_eq!(sent, 0);
    }

    /// What the stack sends next, and when in microseconds; `None` when it falls silent for good.
    fn receive(&self) -> Option<(Tcp, c_longlong)> {
        let (mut buffer, mut length, mut micros) = (vec![0_u8; 65_536], 65_536, 0);
        // SAFETY: a live buffer of that length.
        let result = unsafe {
            (self.interface.netdev_receive)(
                self.interface.userdata,
                buffer.as_mut_ptr().cast(),
                &raw mut length,
                &raw mut micros,
            )
        };
        assert_eq!(result, 0, "an error would be asked again for ever");
        buffer.truncate(length);
        let packet = Bytes::from(buffer);
        let dissection = Dissection::of(Medium::Ip, &packet, packet.len());
        dissection.tcp().map(|tcp| (tcp.clone(), micros))
    }

    /// A connection: its descriptor, and the stack's first sequence number.
    fn accepted(&self) -> (c_int, SeqNum) {
        let listener = self.listener();
        self.inject("S", 100, 0, b"");
        let (answer, _) = self.receive().expect("a SYN is answered");
        self.inject("A", 101, answer.seq.0.wrapping_add(1), b"");
        (self.accept(listener), answer.seq)
    }

    fn accept(&self, listener: c_int) -> c_int {
        // SAFETY: null pointers are allowed.
        unsafe { (self.interface.accept)(self.interface.userdata, listener, null_mut(), null_mut()) }
    }

    fn read(&self, fd: c_int, length: usize) -> Result<Vec<u8>, c_int> {
        let mut buffer = vec![0_u8; length];
        // SAFETY: a live buffer of that length.
        let count = unsafe { (self.interface.read)(self.interface.userdata, fd, buffer.as_mut_ptr().cast(), length) };
        let count = usize::try_from(count).map_err(|_| errno())?;
        buffer.truncate(count);
        Ok(buffer)
    }

    fn clock(&self) -> i64 {
        let mut time = timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: a live structure.
        unsafe { (self.interface.gettimeofday)(self.interface.userdata, &raw mut time, null_mut()) };
        time.tv_sec * 1_000_000 + time.tv_usec
    }

    fn sleep(&self, micros: u32) {
        // SAFETY: no pointers but our own.
        unsafe { (self.interface.usleep)(self.interface.userdata, micros) };
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // SAFETY: used no more.
        unsafe { (self.interface.free)(self.interface.userdata) }
    }
}

#[test]
fn a_syn_to_a_listener_is_answered_through_the_raw_pointers() {
    let driver = Driver::new("stack=smoltcp,local=192.168.0.1");
    driver.listener();
    driver.inject("S", 100, 0, b"");
    let (answer, _) = driver.receive().expect("a SYN is answered");
    assert_eq!((answer.flags.to_string().as_str(), answer.ack.0, answer.dst_port), ("SYN,ACK", 101, REMOTE_PORT));
}

#[test]
fn descriptors_are_the_kernels_while_they_are_open() {
    let driver = Driver::new("");
    let (one, other) = (driver.socket(), driver.socket());
    assert_ne!(one, other);
    // SAFETY: fcntl without pointers, on any number.
    let is_open = |fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    assert!(is_open(one) && is_open(other));
    // SAFETY: no pointers but our own.
    assert_eq!(unsafe { (driver.interface.close)(driver.interface.userdata, one) }, 0);
    assert!(is_open(other));
    assert_eq!(driver.read(one, 1), Err(libc::EBADF));
}

#[test]
fn a_pipe_has_two_of_the_kernels_descriptors() {
    let driver = Driver::new("");
    let mut ends = [0; 2];
    // SAFETY: a live array of two.
    assert_eq!(unsafe { (driver.interface.pipe)(driver.interface.userdata, &raw mut ends) }, 0);
    // SAFETY: fcntl without pointers, on any number.
    assert!(ends.iter().all(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0));
    // SAFETY: a live text.
    let count = unsafe { (driver.interface.write)(driver.interface.userdata, ends[1], b"abc".as_ptr().cast(), 3) };
    assert_eq!((count, driver.read(ends[0], 9)), (3, Ok(b"abc".to_vec())));
}

#[test]
fn accept_tells_the_peers_address() {
    let driver = Driver::new("");
    let listener = driver.listener();
    driver.inject("S", 100, 0, b"");
    let (answer, _) = driver.receive().expect("a SYN is answered");
    driver.inject("A", 101, answer.seq.0.wrapping_add(1), b"");
    let (expected, mut length) = socket_address(REMOTE, REMOTE_PORT);
    let mut peer = [0_u8; 16];
    // SAFETY: a live array of that length.
    let fd = unsafe {
        let at = peer.as_mut_ptr().cast::<sockaddr>();
        (driver.interface.accept)(driver.interface.userdata, listener, at, &raw mut length)
    };
    assert!(fd >= 0);
    assert_eq!((peer, length), (expected, 16));
}

#[test]
fn data_goes_both_ways() {
    let driver = Driver::new("");
    let (fd, iss) = driver.accepted();
    driver.inject("A", 101, iss.0.wrapping_add(1), b"hello");
    assert_eq!(driver.read(fd, 100), Ok(b"hello".to_vec()));
    let (ack, _) = driver.receive().expect("data is acknowledged");
    assert_eq!((ack.ack.0, ack.payload_len), (106, 0));
    // SAFETY: a live text.
    let sent = unsafe { (driver.interface.write)(driver.interface.userdata, fd, b"world".as_ptr().cast(), 5) };
    assert_eq!(sent, 5);
    let (data, _) = driver.receive().expect("data is sent");
    assert_eq!((data.seq, data.payload_len), (iss + 1, 5));
    // SAFETY: null pointers are allowed.
    let bad = unsafe { (driver.interface.write)(driver.interface.userdata, fd, null(), 5) };
    assert_eq!((bad, errno()), (-1, libc::EFAULT));
}

#[test]
fn a_call_that_blocks_sleeps_until_what_it_waits_for_and_ends_at_that_moment() {
    let driver = Driver::new("");
    let (fd, iss) = driver.accepted();
    let shared = Shared(driver.interface);
    let reader = std::thread::spawn(move || {
        let driver = std::mem::ManuallyDrop::new(Driver { interface: shared.interface() });
        let data = driver.read(fd, 100);
        (data, driver.clock())
    });
    let instance = Instance::behind(&driver.interface);
    while !instance.has_sleeper() {
        std::thread::yield_now();
    }
    driver.sleep(250_000);
    let before = driver.clock();
    driver.inject("A", 101, iss.0.wrapping_add(1), b"late");
    driver.sleep(1_000_000);
    let (data, ended) = reader.join().expect("the thread lives");
    assert_eq!(data, Ok(b"late".to_vec()));
    assert_eq!(ended, before, "not when its thread got to run");
}

#[test]
fn time_passes_only_when_somebody_looks_or_sleeps() {
    let driver = Driver::new("");
    let first = driver.clock();
    assert_eq!(driver.clock(), first + 1);
    driver.sleep(5_000_000);
    assert_eq!(driver.clock(), first + 5_000_002);
}

#[test]
fn a_retransmission_departs_at_its_own_time() {
    let driver = Driver::new("");
    driver.listener();
    driver.inject("S", 100, 0, b"");
    let (_, first) = driver.receive().expect("a SYN is answered");
    let (again, second) = driver.receive().expect("and again, when nobody acknowledges");
    assert!(again.flags.syn());
    assert_eq!((second - first) / 100_000, 10, "the stack's first time-out is one second");
}

#[test]
fn silence_is_a_packet_of_no_octets() {
    let driver = Driver::new("");
    driver.listener();
    assert!(driver.receive().is_none());
}

#[test]
fn a_blocking_call_on_the_main_thread_ends_when_nothing_can_come() {
    let driver = Driver::new("");
    let listener = driver.listener();
    assert_eq!((driver.accept(listener), errno()), (-1, libc::EINTR));
}

#[test]
fn what_the_stack_cannot_do_leaves_a_mark() {
    let file = std::env::temp_dir().join(format!("wireglass-marks-{}", std::process::id()));
    let driver = Driver::new(&format!("unsupported={}", file.display()));
    let fd = driver.socket();
    let on = 1;
    // SAFETY: a live number of four octets.
    let result = unsafe {
        let at = (&raw const on).cast();
        (driver.interface.setsockopt)(driver.interface.userdata, fd, libc::IPPROTO_TCP, libc::TCP_MD5SIG, at, 4)
    };
    assert_eq!((result, errno()), (-1, libc::EOPNOTSUPP));
    let marks = std::fs::read_to_string(&file).expect("the mark was written");
    std::fs::remove_file(&file).expect("it can be removed");
    assert!(marks.lines().any(|line| line == "unsupported: TCP_MD5SIG"), "{marks}");
}

#[test]
fn getsockopt_knows_the_stacks_descriptors_from_the_kernels() {
    let driver = Driver::new("");
    let (fd, _) = driver.accepted();
    let (mut info, mut length) = ([0_u8; 280], 280);
    // SAFETY: a live array of that length.
    let result =
        unsafe { getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut length) };
    assert_eq!((result, length, info[0]), (0, 280, 1), "ESTABLISHED is 1");
    // SAFETY: null pointers are allowed.
    let result = unsafe { getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, null_mut(), &raw mut length) };
    assert_eq!((result, errno()), (-1, libc::EFAULT));
    let (mut kind, mut length) = (0, 4);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("the kernel has sockets");
    let kernels = std::os::fd::AsRawFd::as_raw_fd(&socket);
    // SAFETY: a live number of four octets.
    let result =
        unsafe { getsockopt(kernels, libc::SOL_SOCKET, libc::SO_TYPE, (&raw mut kind).cast(), &raw mut length) };
    assert_eq!((result, kind), (0, libc::SOCK_DGRAM));
}
