//! What Linux tells of one of its own connections: `TCP_INFO` and `TCP_CONGESTION`.
//!
//! Fields are read by their place in `struct tcp_info`, which only ever grows at its end: a kernel that tells less leaves
//! the later ones `None`. (What our own stack tells scripts in the same layout is made in `drill::posix`.)

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use serde::Serialize;

/// More than the structure has on any kernel so far (280 octets on Linux 6.18).
const ROOM: usize = 512;

/// What loss recovery is doing (`tcpi_ca_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaState {
    /// Nothing is thought lost.
    Open,
    /// Something arrived out of order, or is lost.
    Disorder,
    /// The window falls for another reason than loss: a congestion mark, a full local queue.
    WindowReduced,
    /// Fast recovery.
    Recovery,
    /// The retransmission timer fired.
    Loss,
}

/// `struct tcp_info`, as much of it as is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TcpInfo {
    /// What loss recovery is doing.
    pub ca_state: CaState,
    /// Octets of data in the longest segment sent.
    pub snd_mss: u32,
    /// Smoothed round-trip time in microseconds.
    pub rtt: u32,
    /// Slow-start threshold in segments; `0x7fff_ffff` before it was first set.
    pub snd_ssthresh: u32,
    /// Congestion window in segments.
    pub snd_cwnd: u32,
    /// Segments sent again in the connection's life.
    pub total_retrans: u32,
    /// Octets that the peer has acknowledged; `None` before Linux 4.1.
    pub bytes_acked: Option<u64>,
    /// Segments delivered that the peer already had, as its DSACKs tell; `None` before Linux 4.19.
    pub dsack_dups: Option<u32>,
    /// Time-outs in the connection's life; `None` before Linux 6.7.
    pub total_rto: Option<u16>,
}

impl TcpInfo {
    /// Reads the structure; `None` when there is less of it than every kernel since 2.6 has.
    fn from_bytes(bytes: &[u8]) -> Option<TcpInfo> {
        Some(TcpInfo {
            ca_state: match bytes.get(1)? {
                0 => CaState::Open,
                1 => CaState::Disorder,
                2 => CaState::WindowReduced,
                3 => CaState::Recovery,
                _ => CaState::Loss,
            },
            snd_mss: u32::from_ne_bytes(field(bytes, 16)?),
            rtt: u32::from_ne_bytes(field(bytes, 68)?),
            snd_ssthresh: u32::from_ne_bytes(field(bytes, 76)?),
            snd_cwnd: u32::from_ne_bytes(field(bytes, 80)?),
            total_retrans: u32::from_ne_bytes(field(bytes, 100)?),
            bytes_acked: field(bytes, 120).map(u64::from_ne_bytes),
            dsack_dups: field(bytes, 216).map(u32::from_ne_bytes),
            total_rto: field(bytes, 240).map(u16::from_ne_bytes),
        })
    }

    /// What the kernel tells of `socket`, a TCP connection.
    ///
    /// # Errors
    /// The kernel's: it is no TCP socket.
    pub fn of(socket: &impl AsFd) -> io::Result<TcpInfo> {
        let mut bytes = [0_u8; ROOM];
        let mut length = ROOM as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` octets into the buffer, which has that many, and says in `length`
        // how many it wrote; both live until the call returns.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                bytes.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let told = bytes.get(..length as usize).unwrap_or(&bytes);
        TcpInfo::from_bytes(told).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn field<const WIDTH: usize>(bytes: &[u8], offset: usize) -> Option<[u8; WIDTH]> {
    bytes.get(offset..offset + WIDTH)?.try_into().ok()
}

/// The congestion control that `socket` really has: asking for one is not getting it.
///
/// # Errors
/// The kernel's: it is no TCP socket.
pub fn congestion_control(socket: &impl AsFd) -> io::Result<String> {
    let name = getsockopt(socket, sockopt::TcpCongestion)?;
    Ok(name.to_string_lossy().trim_end_matches('\0').to_owned())
}

/// Asks the kernel for a congestion control by name: `reno`, `cubic`, `bbr`. A listener hands it on to what it accepts.
///
/// # Errors
/// `NotFound` when the kernel has none of that name, `PermissionDenied` when this user may not choose it
/// (`net.ipv4.tcp_allowed_congestion_control`).
pub fn set_congestion_control(socket: &impl AsFd, name: &str) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::TcpCongestion, &OsString::from(name))?)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn fields_are_found_at_their_places_and_those_of_later_kernels_may_be_missing() {
        let mut bytes = [0; 248];
        bytes[1] = 4;
        for (offset, value) in [(16, 1448_u32), (68, 40_000), (76, 7), (80, 14), (100, 3), (216, 2)] {
            bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        bytes[120..128].copy_from_slice(&(1_u64 << 40).to_ne_bytes());
        bytes[240..242].copy_from_slice(&5_u16.to_ne_bytes());
        let whole = TcpInfo {
            ca_state: CaState::Loss,
            snd_mss: 1448,
            rtt: 40_000,
            snd_ssthresh: 7,
            snd_cwnd: 14,
            total_retrans: 3,
            bytes_acked: Some(1 << 40),
            dsack_dups: Some(2),
            total_rto: Some(5),
        };
        assert_eq!(TcpInfo::from_bytes(&bytes), Some(whole));
        let early = TcpInfo { bytes_acked: None, dsack_dups: None, total_rto: None, ..whole };
        assert_eq!(TcpInfo::from_bytes(&bytes[..104]), Some(early));
        assert_eq!(TcpInfo::from_bytes(&bytes[..103]), None);
    }

    #[test]
    fn the_kernel_tells_of_its_connections_and_what_was_selected_is_read_back() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback is there");
        let stream = TcpStream::connect(listener.local_addr().expect("it listens")).expect("it listens");
        let info = TcpInfo::of(&stream).expect("a TCP socket");
        assert_eq!((info.ca_state, info.total_retrans), (CaState::Open, 0));
        assert!(info.snd_cwnd > 0 && info.snd_mss >= 536, "{info:?}");
        // Every Linux has Reno built in, and lets everybody choose it.
        set_congestion_control(&stream, "reno").expect("it may be chosen");
        assert_eq!(congestion_control(&stream).expect("a TCP socket"), "reno");
        let unknown = set_congestion_control(&stream, "no-such-thing").expect_err("there is none");
        assert_eq!(unknown.kind(), io::ErrorKind::NotFound);
        assert_eq!(congestion_control(&stream).expect("a TCP socket"), "reno", "what it had before");
        assert!(TcpInfo::of(&UdpSocket::bind("127.0.0.1:0").expect("the loopback is there")).is_err());
    }
}
