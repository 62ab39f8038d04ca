//! Terminals: how large they are, and whose. Everything else about them (colour, characters) is decided in `cli`.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{STDIN_FILENO, TIOCGWINSZ, TIOCSCTTY, TIOCSWINSZ, winsize};

mod call {
    use super::{TIOCGWINSZ, TIOCSCTTY, TIOCSWINSZ, winsize};

    nix::ioctl_read_bad!(window_size, TIOCGWINSZ, winsize);
    nix::ioctl_write_ptr_bad!(set_window_size, TIOCSWINSZ, winsize);
    nix::ioctl_write_int_bad!(set_controlling_terminal, TIOCSCTTY);
}

/// How many columns the terminal behind `descriptor` has; `None` when it is no terminal or does not say.
pub fn columns(descriptor: BorrowedFd<'_>) -> Option<u16> {
    size(descriptor).map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// How large the terminal behind `descriptor` is; `None` when it is no terminal.
pub(super) fn size(descriptor: BorrowedFd<'_>) -> Option<winsize> {
    let mut size = winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the address that it is given; `size` is one and outlives the call, and
    // `descriptor` is open for as long as it is borrowed.
    unsafe { call::window_size(descriptor.as_raw_fd(), &raw mut size) }.ok()?;
    Some(size)
}

/// Makes the terminal behind `descriptor` as large as said; its programs are told.
pub(super) fn set_size(descriptor: BorrowedFd<'_>, size: winsize) -> Result<(), Errno> {
    // SAFETY: TIOCSWINSZ reads one `winsize` from the address that it is given; `size` outlives the call, and `descriptor`
    // is open for as long as it is borrowed.
    unsafe { call::set_window_size(descriptor.as_raw_fd(), &raw const size) }.map(drop)
}

/// Makes the terminal at standard input the one of this process's session, which it leads and which has none. Allocates
/// nothing: it is called between `fork` and `exec`.
pub(super) fn own_standard_input() -> Result<(), Errno> {
    // SAFETY: TIOCSCTTY takes a number, and no address.
    unsafe { call::set_controlling_terminal(STDIN_FILENO, 0) }.map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_has_no_columns() {
        let file = File::open("/dev/null").expect("/dev/null is there");
        assert_eq!(columns(file.as_fd()), None);
    }

    #[test]
    fn a_terminal_says_how_wide_it_is() {
        let size = winsize { ws_row: 24, ws_col: 93, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(Some(&size), None).expect("a pseudo-terminal can be had");
        assert_eq!(columns(pair.slave.as_fd()), Some(93));
    }
}
