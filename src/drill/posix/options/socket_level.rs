//! The options of `SOL_SOCKET`.

use bytes::Bytes;

use super::unknown;
use crate::drill::posix::names::*;
use crate::drill::posix::socket::{Family, Role};
use crate::drill::posix::stop::{self, Answer};
use crate::drill::posix::sysctls::window_of;
use crate::drill::posix::{Errno, OptionValue, Posix};
use crate::stack::SocketOption;

/// The least send buffer, as Linux keeps it (`SOCK_MIN_SNDBUF`).
const LEAST_SEND: u32 = 4_608;
/// The least receive buffer, as Linux keeps it (`SOCK_MIN_RCVBUF`).
const LEAST_RECEIVE: u32 = 2_304;
/// The most that may be asked for (`net.core.rmem_max`, `wmem_max`).
const MOST: u32 = 4 * 1024 * 1024;
/// Octets of what `SO_MEMINFO` tells: nine numbers.
const MEMORY_INFO: usize = 36;

impl Posix {
    pub(super) fn get_socket_option(&mut self, fd: i32, name: i32) -> Answer<OptionValue> {
        if name == SO_ERROR {
            return Ok(OptionValue::Int(self.pending_error(fd)?.map_or(0, |errno| errno.0)));
        }
        let socket = self.descriptors.socket(fd)?;
        let options = &socket.options;
        Ok(OptionValue::Int(match name {
            SO_TYPE => {
                if socket.is_datagram() {
                    SOCK_DGRAM
                } else {
                    SOCK_STREAM
                }
            }
            SO_PROTOCOL => {
                if socket.is_datagram() {
                    IPPROTO_UDP
                } else {
                    IPPROTO_TCP
                }
            }
            SO_DOMAIN => match socket.family {
                Family::V4 => AF_INET,
                Family::V6 => AF_INET6,
            },
            SO_ACCEPTCONN => matches!(socket.role, Role::Listening(_)).into(),
            SO_REUSEADDR => options.reuse_address.into(),
            SO_REUSEPORT => options.reuse_port.into(),
            SO_BROADCAST => options.broadcast.into(),
            SO_OOBINLINE => options.urgent_inline.into(),
            SO_PRIORITY => options.priority,
            SO_MARK => options.mark,
            SO_KEEPALIVE => options.keep_alive.into(),
            SO_SNDBUF => signed(options.send_buffer(&self.sysctls)),
            SO_RCVBUF => signed(options.receive_buffer.unwrap_or(self.sysctls.receive_memory[1])),
            SO_RCVLOWAT => signed(options.receive_low_water.max(1)),
            SO_SNDLOWAT => 1,
            SO_LINGER => return Ok(OptionValue::Linger(options.linger)),
            SO_RCVTIMEO => return Ok(OptionValue::Time(options.receive_timeout.unwrap_or_default())),
            SO_SNDTIMEO => return Ok(OptionValue::Time(options.send_timeout.unwrap_or_default())),
            SO_MEMINFO => return Ok(OptionValue::Bytes(Bytes::from(vec![0; MEMORY_INFO]))),
            _ => return unknown(SOL_SOCKET, name),
        }))
    }

    /// The error that the socket has to tell, hard or soft, which is then told.
    fn pending_error(&mut self, fd: i32) -> Answer<Option<Errno>> {
        let socket = self.descriptors.socket_at(fd)?;
        if let Some(error) = socket.error.take() {
            return Ok(Some(error));
        }
        let soft = socket.id().and_then(|id| self.stack.take_error(id));
        Ok(soft.map(stop::of_delivery))
    }

    pub(super) fn set_socket_option(&mut self, fd: i32, name: i32, value: &OptionValue) -> Answer<()> {
        let options = &mut self.descriptors.socket_at(fd)?.options;
        match name {
            SO_REUSEADDR => options.reuse_address = value.switch()?,
            SO_REUSEPORT => options.reuse_port = value.switch()?,
            SO_BROADCAST => options.broadcast = value.switch()?,
            SO_OOBINLINE => options.urgent_inline = value.switch()?,
            SO_PRIORITY => options.priority = value.int()?,
            SO_MARK => options.mark = value.int()?,
            SO_LINGER => options.linger = value.linger()?,
            SO_RCVTIMEO => options.receive_timeout = value.time()?,
            SO_SNDTIMEO => options.send_timeout = value.time()?,
            SO_RCVLOWAT => options.receive_low_water = value.int()?.max(1).unsigned_abs(),
            SO_TYPE | SO_PROTOCOL | SO_DOMAIN | SO_ERROR | SO_ACCEPTCONN | SO_SNDLOWAT => {
                return Err(Errno::ENOPROTOOPT.into());
            }
            SO_KEEPALIVE => {
                options.keep_alive = value.switch()?;
                let time = options.keep_alive_time(&self.sysctls);
                self.pass_on(fd, SocketOption::KeepAlive(time), "SO_KEEPALIVE")?;
            }
            SO_SNDBUF | SO_SNDBUFFORCE => {
                let octets = doubled(value.int()?).max(LEAST_SEND);
                options.send_buffer = Some(octets);
                let buffer = options.stack_buffer(&self.sysctls);
                self.pass_on(fd, SocketOption::SendBuffer(buffer), "SO_SNDBUF")?;
            }
            SO_RCVBUF | SO_RCVBUFFORCE => {
                let octets = doubled(value.int()?).max(LEAST_RECEIVE);
                options.receive_buffer = Some(octets);
                self.pass_on(fd, SocketOption::ReceiveBuffer(window_of(octets)), "SO_RCVBUF")?;
            }
            _ => return unknown(SOL_SOCKET, name),
        }
        Ok(())
    }
}

/// Linux takes the number as unsigned, bounds it, and keeps twice as much for its own overhead.
fn doubled(asked: i32) -> u32 {
    asked.cast_unsigned().min(MOST) * 2
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
