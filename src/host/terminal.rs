//! The size of the terminal. Everything else about it (colour, characters) is decided in `cli`.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc::{TIOCGWINSZ, winsize};

mod call {
    use super::{TIOCGWINSZ, winsize};

    nix::ioctl_read_bad!(window_size, TIOCGWINSZ, winsize);
}

/// How many columns the terminal behind `descriptor` has; `None` when it is no terminal or does not say.
pub fn columns(descriptor: BorrowedFd<'_>) -> Option<u16> {
    let mut size = winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the address that it is given; `size` is one and outlives the call, and
    // `descriptor` is open for as long as it is borrowed.
    unsafe { call::window_size(descriptor.as_raw_fd(), &raw mut size) }.ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
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
