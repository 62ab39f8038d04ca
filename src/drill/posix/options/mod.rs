//! Socket options: what was set, what that means for a connection, and `getsockopt` and `setsockopt` themselves.
//!
//! Before a socket has a connection its options are only kept; [`Options::config`] turns them into what the connection
//! begins with. Afterwards each change goes to the stack at once.

mod internet;
mod socket_level;
mod tcp_level;

use std::time::Duration;

use bytes::Bytes;

use super::names::{self, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, SOL_SOCKET};
use super::room::LONGEST_PACKET;
use super::stop::{Answer, Stop};
use super::sysctls::{shift_for, window_of};
use super::{CongestionName, Errno, OptionValue, Posix, Reply, Sysctls, Written};
use crate::stack::{FastOpen, FastOpenKeys, SocketOption, TcpConfig};
use crate::tcp::PathDiscovery;
use crate::transport::PathReports;

/// What a program has set; `None` where the sysctls or the stack decide.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) reuse_address: bool,
    pub(super) reuse_port: bool,
    pub(super) broadcast: bool,
    pub(super) urgent_inline: bool,
    pub(super) priority: i32,
    pub(super) mark: i32,
    pub(super) keep_alive: bool,
    /// Seconds that `close` waits; `None` does not wait.
    pub(super) linger: Option<u32>,
    /// As Linux keeps it: twice what was asked.
    pub(super) send_buffer: Option<u32>,
    /// As Linux keeps it: twice what was asked.
    pub(super) receive_buffer: Option<u32>,
    pub(super) receive_low_water: u32,
    pub(super) receive_timeout: Option<Duration>,
    pub(super) send_timeout: Option<Duration>,

    pub(super) no_delay: bool,
    pub(super) cork: bool,
    pub(super) quick_ack: Option<bool>,
    pub(super) max_segment: Option<u16>,
    pub(super) keep_alive_idle: Option<Duration>,
    pub(super) keep_alive_interval: Option<Duration>,
    pub(super) keep_alive_probes: Option<u8>,
    pub(super) syn_retries: Option<u8>,
    /// Seconds; negative never waits in FIN-WAIT-2.
    pub(super) linger_2: Option<i32>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) window_clamp: Option<u32>,
    pub(super) congestion: Option<CongestionName>,
    /// Octets not yet sent that make a socket "full".
    pub(super) unsent_low_water: Option<u32>,
    pub(super) tells_queue: bool,
    /// Connections of a listener that Fast Open may open; of a client of FreeBSD's, that it may be used.
    pub(super) fast_open_queue: Option<u32>,
    pub(super) fast_open_connect: bool,
    pub(super) fast_open_no_cookie: bool,
    pub(super) fast_open_keys: Option<FastOpenKeys>,

    pub(super) traffic_class: Option<u8>,
    pub(super) time_to_live: Option<u8>,
    pub(super) mtu_discover: Option<i32>,
    pub(super) receive_errors: bool,
    pub(super) free_bind: bool,
    pub(super) v6_only: bool,
}

impl Options {
    /// What a connection of this socket begins with.
    pub(super) fn config(&self, sysctls: &Sysctls, defaults: &TcpConfig) -> TcpConfig {
        let base = sysctls.tcp_config(defaults);
        let (receive_buffer, window_scale) = match self.receive_buffer {
            Some(octets) => (window_of(octets), Some(shift_for(window_of(octets) as u32))),
            None => (base.receive_buffer, base.window_scale),
        };
        TcpConfig {
            send_buffer: self.stack_buffer(sysctls),
            receive_buffer,
            window_scale,
            no_delay: self.no_delay,
            cork: self.cork,
            user_timeout: self.user_timeout,
            keep_alive: self.keep_alive_time(sysctls),
            keep_alive_interval: self.keep_alive_interval.unwrap_or(base.keep_alive_interval),
            keep_alive_probes: self.keep_alive_probes.unwrap_or(base.keep_alive_probes),
            congestion: self.congestion.map_or(base.congestion, |name| name.0),
            max_segment: self.max_segment,
            syn_retries: self.syn_retries.unwrap_or(base.syn_retries),
            time_to_live: self.time_to_live.unwrap_or(base.time_to_live),
            traffic_class: self.traffic_class.unwrap_or(base.traffic_class),
            fin_wait_2: self.fin_wait_2(sysctls),
            path: PathDiscovery { reports: self.path_reports(sysctls), ..base.path },
            fast_open: FastOpen {
                without_cookie: base.fast_open.without_cookie || self.fast_open_no_cookie,
                takes_without_cookie: base.fast_open.takes_without_cookie || self.fast_open_no_cookie,
                keys: self.fast_open_keys.or(base.fast_open.keys),
                ..base.fast_open
            },
            ..base
        }
    }

    /// Octets that may wait to be sent and acknowledged.
    pub(super) fn send_buffer(&self, sysctls: &Sysctls) -> u32 {
        self.send_buffer.unwrap_or(sysctls.send_memory[1])
    }

    /// Octets that the stack's own buffer needs: a write may take one packet more than the buffer says ([`super::room`]).
    pub(super) fn stack_buffer(&self, sysctls: &Sysctls) -> usize {
        (self.send_buffer(sysctls) + LONGEST_PACKET) as usize
    }

    /// How long a connection is idle before it is probed; `None` never.
    pub(super) fn keep_alive_time(&self, sysctls: &Sysctls) -> Option<Duration> {
        self.keep_alive.then(|| self.keep_alive_idle.unwrap_or(sysctls.keep_alive))
    }

    pub(super) fn fin_wait_2(&self, sysctls: &Sysctls) -> Duration {
        match self.linger_2 {
            None => sysctls.fin_wait_2,
            Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        }
    }

    fn path_reports(&self, sysctls: &Sysctls) -> PathReports {
        let usual = sysctls.path.reports;
        self.mtu_discover.map_or(usual, |discover| internet::path_reports(discover, usual))
    }

    /// What an accepted connection has of its listener's.
    pub(super) fn inherited(&self) -> Options {
        self.clone()
    }
}

impl Posix {
    pub(super) fn get_option(&mut self, fd: i32, level: i32, name: i32) -> Answer<Reply> {
        let is_datagram = self.descriptors.socket(fd)?.is_datagram();
        let value = match level {
            SOL_SOCKET => self.get_socket_option(fd, name)?,
            IPPROTO_TCP if !is_datagram => self.get_tcp_option(fd, name)?,
            IPPROTO_IP | IPPROTO_IPV6 => self.get_internet_option(fd, level, name)?,
            IPPROTO_TCP | IPPROTO_UDP => return Err(Errno::ENOPROTOOPT.into()),
            _ => return Err(Errno::EOPNOTSUPP.into()),
        };
        Ok(Reply { value: 0, written: Written::Option(value) })
    }

    pub(super) fn set_option(&mut self, fd: i32, level: i32, name: i32, value: &OptionValue) -> Answer<Reply> {
        let socket = self.descriptors.socket(fd)?;
        let (is_datagram, before) = (socket.is_datagram(), socket.options.clone());
        let set = match level {
            SOL_SOCKET => self.set_socket_option(fd, name, value),
            IPPROTO_TCP if !is_datagram => self.set_tcp_option(fd, name, value),
            IPPROTO_IP | IPPROTO_IPV6 => self.set_internet_option(fd, level, name, value),
            _ => return Err(Errno::ENOPROTOOPT.into()),
        };
        if set.is_err() {
            self.descriptors.socket_at(fd)?.options = before;
        }
        set.map(|()| Reply::default())
    }

    /// Tells the stack of a change, if there is anything there that can be changed.
    pub(super) fn pass_on(&mut self, fd: i32, option: SocketOption, what: &str) -> Answer<()> {
        let Some(id) = self.descriptors.socket(fd)?.id() else { return Ok(()) };
        match self.stack.set_option(id, option) {
            // A connection that is over has nothing left to change; Linux keeps the option and says nothing.
            Err(crate::stack::SocketError::Closed | crate::stack::SocketError::Ended(_)) | Ok(()) => Ok(()),
            Err(error) => Err(Stop::of_stack(error, &format!("{what} on an open socket"))),
        }
    }
}

/// A script that sets or asks an option of which nothing here knows what it would do.
fn unknown<T>(level: i32, name: i32) -> Answer<T> {
    Stop::unsupported(names::option_name(level, name))
}

impl OptionValue {
    /// A number, also when it lies in memory as an `int`.
    ///
    /// # Errors
    /// `EFAULT` without memory, `EINVAL` when there are too few octets.
    pub(super) fn int(&self) -> Answer<i32> {
        match self {
            OptionValue::Int(number) => Ok(*number),
            OptionValue::Bytes(bytes) => Ok(i32::from_ne_bytes(array(bytes, 0)?)),
            OptionValue::Bad => Err(Errno::EFAULT.into()),
            OptionValue::Linger(_) | OptionValue::Time(_) | OptionValue::Short => Err(Errno::EINVAL.into()),
        }
    }

    /// As [`OptionValue::int`]; options of IP may also be a single octet.
    fn int_or_octet(&self) -> Answer<i32> {
        match self {
            OptionValue::Bytes(bytes) if bytes.len() < 4 => Ok((*bytes.first().ok_or(Errno::EINVAL)?).into()),
            _ => self.int(),
        }
    }

    fn switch(&self) -> Answer<bool> {
        Ok(self.int()? != 0)
    }

    /// A `struct timeval`; `None` is for ever.
    fn time(&self) -> Answer<Option<Duration>> {
        let time = match self {
            OptionValue::Time(time) => *time,
            OptionValue::Bytes(bytes) => {
                let (seconds, micros) = (i64::from_ne_bytes(array(bytes, 0)?), i64::from_ne_bytes(array(bytes, 8)?));
                if !(0..1_000_000).contains(&micros) {
                    return Err(Errno::EDOM.into());
                }
                Duration::from_secs(seconds.max(0).unsigned_abs()) + Duration::from_micros(micros.unsigned_abs())
            }
            OptionValue::Bad => return Err(Errno::EFAULT.into()),
            OptionValue::Int(_) | OptionValue::Linger(_) | OptionValue::Short => return Err(Errno::EINVAL.into()),
        };
        Ok((!time.is_zero()).then_some(time))
    }

    fn linger(&self) -> Answer<Option<u32>> {
        match self {
            OptionValue::Linger(seconds) => Ok(*seconds),
            OptionValue::Bytes(bytes) => {
                let (on, seconds) = (i32::from_ne_bytes(array(bytes, 0)?), i32::from_ne_bytes(array(bytes, 4)?));
                Ok((on != 0).then_some(seconds.max(0).unsigned_abs()))
            }
            OptionValue::Bad => Err(Errno::EFAULT.into()),
            OptionValue::Int(_) | OptionValue::Time(_) | OptionValue::Short => Err(Errno::EINVAL.into()),
        }
    }

    fn text(&self) -> Answer<String> {
        match self {
            OptionValue::Bytes(bytes) => {
                let text = bytes.split(|octet| *octet == 0).next().unwrap_or_default();
                Ok(String::from_utf8_lossy(text).into_owned())
            }
            OptionValue::Bad => Err(Errno::EFAULT.into()),
            OptionValue::Int(_) | OptionValue::Time(_) | OptionValue::Linger(_) | OptionValue::Short => {
                Err(Errno::EINVAL.into())
            }
        }
    }

    /// As it lies in memory, in the machine's byte order.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            OptionValue::Int(number) => Bytes::copy_from_slice(&number.to_ne_bytes()),
            OptionValue::Time(time) => {
                let (seconds, micros) = (time.as_secs().to_ne_bytes(), u64::from(time.subsec_micros()).to_ne_bytes());
                Bytes::from([seconds, micros].concat())
            }
            OptionValue::Linger(seconds) => {
                let (on, seconds) = (i32::from(seconds.is_some()), seconds.unwrap_or(0));
                Bytes::from([on.to_ne_bytes(), seconds.to_ne_bytes()].concat())
            }
            OptionValue::Bytes(bytes) => bytes.clone(),
            OptionValue::Bad | OptionValue::Short => Bytes::new(),
        }
    }
}

fn array<const N: usize>(bytes: &Bytes, at: usize) -> Answer<[u8; N]> {
    let octets = bytes.get(at..at + N).ok_or(Errno::EINVAL)?;
    octets.try_into().map_err(|_| Errno::EINVAL.into())
}
