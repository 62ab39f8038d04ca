//! The options of `IPPROTO_IP` and `IPPROTO_IPV6`.

use super::unknown;
use crate::drill::posix::names::*;
use crate::drill::posix::socket::Family;
use crate::drill::posix::stop::Answer;
use crate::drill::posix::{Errno, OptionValue, Posix};
use crate::stack::SocketOption;
use crate::transport::PathReports;

/// The bits of a traffic class that are ECN's; a TCP socket decides on them itself.
const ECN_BITS: u8 = 0b11;

/// What an option is about, whichever family it is asked of.
enum Internet {
    TrafficClass,
    Hops,
    MtuDiscover,
    Mtu,
    ReceiveErrors,
    FreeBind,
    V6Only,
}

fn meaning(level: i32, name: i32) -> Option<Internet> {
    Some(match (level, name) {
        (IPPROTO_IP, IP_TOS) | (IPPROTO_IPV6, IPV6_TCLASS) => Internet::TrafficClass,
        (IPPROTO_IP, IP_TTL) | (IPPROTO_IPV6, IPV6_UNICAST_HOPS) => Internet::Hops,
        (IPPROTO_IP, IP_MTU_DISCOVER) | (IPPROTO_IPV6, IPV6_MTU_DISCOVER) => Internet::MtuDiscover,
        (IPPROTO_IP, IP_MTU) | (IPPROTO_IPV6, IPV6_MTU) => Internet::Mtu,
        (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR) => Internet::ReceiveErrors,
        (IPPROTO_IP, IP_FREEBIND | IP_TRANSPARENT) => Internet::FreeBind,
        (IPPROTO_IPV6, IPV6_V6ONLY) => Internet::V6Only,
        _ => return None,
    })
}

/// What a value of `IP_MTU_DISCOVER` means; `usual` is what holds for who has not asked.
pub(super) fn path_reports(discover: i32, usual: PathReports) -> PathReports {
    match discover {
        IP_PMTUDISC_DONT | IP_PMTUDISC_INTERFACE | IP_PMTUDISC_OMIT => PathReports::NotAsked,
        IP_PMTUDISC_DO => PathReports::Heard,
        IP_PMTUDISC_PROBE => PathReports::Ignored,
        _ => usual,
    }
}

impl Posix {
    /// Octets of the longest packet that the path of this connection takes, or else its link.
    fn path_mtu(&self, fd: i32) -> Answer<usize> {
        let id = self.descriptors.socket(fd)?.connection();
        let known = id.and_then(|id| self.stack.snapshot(id)).and_then(|snapshot| snapshot.path_mtu);
        Ok(known.map_or(self.stack.mtu(), |mtu| mtu as usize))
    }

    pub(super) fn get_internet_option(&mut self, fd: i32, level: i32, name: i32) -> Answer<OptionValue> {
        let socket = self.descriptors.socket(fd)?;
        if level == IPPROTO_IPV6 && socket.family == Family::V4 {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let defaults = self.stack.tcp_defaults();
        let options = &socket.options;
        Ok(OptionValue::Int(match meaning(level, name) {
            Some(Internet::TrafficClass) => options.traffic_class.unwrap_or(defaults.traffic_class).into(),
            Some(Internet::Hops) => options.time_to_live.unwrap_or(defaults.time_to_live).into(),
            Some(Internet::MtuDiscover) => options.mtu_discover.unwrap_or(match self.sysctls.path.reports {
                PathReports::NotAsked => IP_PMTUDISC_DONT,
                PathReports::Heard | PathReports::Ignored => IP_PMTUDISC_WANT,
            }),
            Some(Internet::Mtu) if socket.connection().is_none() => return Err(Errno::ENOTCONN.into()),
            Some(Internet::Mtu) => i32::try_from(self.path_mtu(fd)?).unwrap_or(i32::MAX),
            Some(Internet::ReceiveErrors) => options.receive_errors.into(),
            Some(Internet::FreeBind) => options.free_bind.into(),
            Some(Internet::V6Only) => options.v6_only.into(),
            None => return unknown(level, name),
        }))
    }

    pub(super) fn set_internet_option(&mut self, fd: i32, level: i32, name: i32, value: &OptionValue) -> Answer<()> {
        let default_hops = self.stack.tcp_defaults().time_to_live;
        let socket = self.descriptors.socket_at(fd)?;
        if level == IPPROTO_IPV6 && socket.family == Family::V4 {
            return Err(Errno::ENOPROTOOPT.into());
        }
        let (is_datagram, is_bound) = (socket.is_datagram(), socket.bound.is_some());
        let options = &mut socket.options;
        let number = value.int_or_octet()?;
        match meaning(level, name) {
            Some(Internet::TrafficClass) => {
                // -1 is the default, in IPv6 only (RFC 3542 §6.5).
                let asked = if number == -1 && level == IPPROTO_IPV6 { 0 } else { number };
                if level == IPPROTO_IPV6 && !(0..=255).contains(&asked) {
                    return Err(Errno::EINVAL.into());
                }
                let class = (asked & 0xff) as u8;
                let class = if is_datagram { class } else { class & !ECN_BITS };
                options.traffic_class = Some(class);
                self.pass_on(fd, SocketOption::TrafficClass(class), "IP_TOS")?;
            }
            Some(Internet::Hops) => {
                let hops = match number {
                    -1 => default_hops,
                    _ => u8::try_from(number).ok().filter(|hops| *hops > 0).ok_or(Errno::EINVAL)?,
                };
                options.time_to_live = Some(hops);
                self.pass_on(fd, SocketOption::TimeToLive(hops), "IP_TTL")?;
            }
            Some(Internet::MtuDiscover) if !(0..=5).contains(&number) => return Err(Errno::EINVAL.into()),
            Some(Internet::MtuDiscover) => {
                options.mtu_discover = Some(number);
                let is_asked = self.sysctls.path.reports;
                // What datagrams do is decided when they are sent.
                if !is_datagram {
                    self.pass_on(fd, SocketOption::PathReports(path_reports(number, is_asked)), "IP_MTU_DISCOVER")?;
                }
            }
            Some(Internet::Mtu) => return Err(Errno::ENOPROTOOPT.into()),
            Some(Internet::ReceiveErrors) => options.receive_errors = number != 0,
            Some(Internet::FreeBind) => options.free_bind = number != 0,
            Some(Internet::V6Only) if is_bound => return Err(Errno::EINVAL.into()),
            Some(Internet::V6Only) => options.v6_only = number != 0,
            None => return unknown(level, name),
        }
        Ok(())
    }
}
