//! wireglass's stacks as a shared object for google's packetdrill.
//!
//! ```text
//! LD_PRELOAD=X.so packetdrill --so_filename=X.so --so_flags=stack=smoltcp,local=192.168.0.1 … script.pkt
//! ```
//!
//! packetdrill loads it, calls [`packetdrill_interface_init`], and makes every system call of a script through the
//! functions it finds there. The stack, the descriptors and the clock live here, in virtual time: nothing sleeps that does
//! not have to, and a script of a minute takes a tenth of a second. What the calls mean is decided in
//! `wireglass::drill::posix`, which our own interpreter uses, too.
//!
//! What lives here: the C interface ([`interface`], `calls`, `memory`), the clock and the packets (`world`), the thread
//! that sleeps (`instance`). All `unsafe` is in the first of these, each with its reason.

mod calls;
mod commands;
mod flags;
mod instance;
pub mod interface;
mod marks;
mod memory;
mod network_time;
mod sysctls;
#[cfg(test)]
mod tests;
mod world;

use std::ffi::CStr;
use std::io::Write;

use libc::{c_char, c_int, c_void, socklen_t};
use wireglass::drill::posix::Request;

use self::calls::{network, options, sockets, transfer, waiting};
use self::flags::Flags;
use self::instance::Instance;
use self::interface::Interface;

/// Fills `interface` in. Flags that are not understood end the process, as packetdrill's own mistakes in its arguments do:
/// there is no way to refuse.
///
/// # Safety
/// `flags` is null or a text that ends with a zero octet; `interface` points at a writable [`Interface`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn packetdrill_interface_init(flags: *const c_char, interface: *mut Interface) {
    let text = match flags.is_null() {
        true => String::new(),
        // SAFETY: not null, so a text by the caller's word.
        false => unsafe { CStr::from_ptr(flags) }.to_string_lossy().into_owned(),
    };
    let flags = Flags::parse(&text).unwrap_or_else(|wrong| {
        // Nobody is left to tell if even this cannot be written.
        let _ = writeln!(std::io::stderr(), "{wrong}");
        std::process::exit(1)
    });
    // SAFETY: writable by the caller's word.
    unsafe { memory::write(interface, filled(&flags)) }
}

fn filled(flags: &Flags) -> Interface {
    Interface {
        userdata: calls::handle(Instance::new(flags)),
        free: calls::free,
        socket: sockets::socket,
        bind: sockets::bind,
        listen: sockets::listen,
        accept: sockets::accept,
        connect: sockets::connect,
        read: transfer::read,
        readv: transfer::readv,
        recv: transfer::recv,
        recvfrom: transfer::recvfrom,
        recvmsg: transfer::recvmsg,
        write: transfer::write,
        writev: transfer::writev,
        send: transfer::send,
        sendto: transfer::sendto,
        sendmsg: transfer::sendmsg,
        fcntl: sockets::fcntl,
        ioctl: sockets::ioctl,
        close: sockets::close,
        shutdown: sockets::shutdown,
        getsockopt: options::getsockopt,
        setsockopt: options::setsockopt,
        poll: waiting::poll,
        netdev_send: network::netdev_send,
        netdev_receive: network::netdev_receive,
        usleep: waiting::usleep,
        gettimeofday: waiting::gettimeofday,
        epoll_create: waiting::epoll_create,
        epoll_ctl: waiting::epoll_ctl,
        epoll_wait: waiting::epoll_wait,
        pipe: sockets::pipe,
        splice: transfer::splice,
    }
}

/// libc's `getsockopt`, for programs that load this library before libc (`LD_PRELOAD`): packetdrill asks for `TCP_INFO` and
/// its like with this and not through the interface. Descriptors that are not the stack's go to the kernel.
///
/// # Safety
/// As for `getsockopt(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    at: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    match Instance::holding(fd) {
        Some(instance) => {
            let result = instance.call(Request::GetSockOpt { fd, level, name });
            // SAFETY: as the caller says.
            calls::answer(result.and_then(|reply| unsafe { options::tell(reply, at, length) }))
        }
        // SAFETY: as the caller says.
        None => unsafe { memory::kernel_option(fd, level, name, at, length) },
    }
}

/// libc's `system`, for programs that load this library before libc: packetdrill runs a script's shell commands with it. They
/// do run, but what they change is the kernel's; one that would have to reach the stack is marked first.
///
/// # Safety
/// As for `system(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn system(command: *const c_char) -> c_int {
    if !command.is_null() {
        // SAFETY: not null, so a text by the caller's word.
        let text = unsafe { CStr::from_ptr(command) }.to_string_lossy();
        // A mark that cannot be made must not keep the command from running.
        let _ = std::panic::catch_unwind(|| Instance::foresee(&text));
    }
    // SAFETY: as the caller says.
    unsafe { memory::shell(command) }
}
