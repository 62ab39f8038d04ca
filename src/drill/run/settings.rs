//! What the `--name=value` lines at the top of a script mean.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use super::time::{Tolerance, percentage};
use crate::drill::language::script::Setting;
use crate::drill::packets::connections::Ends;

/// Which addresses sockets and packets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4 sockets, IPv4 packets.
    V4,
    /// IPv6 sockets, IPv4 packets.
    V4Mapped,
    /// IPv6 sockets, IPv6 packets.
    V6,
}

/// Everything that a script can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Families.
    pub ip_version: IpVersion,
    /// The stack's address.
    pub local: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// The other side's address.
    pub remote: IpAddr,
    /// Where the stack sends what is for others.
    pub gateway: IpAddr,
    /// The port that `bind` takes.
    pub bind_port: u16,
    /// The port that `connect` goes to.
    pub connect_port: u16,
    /// Octets of the longest packet that the stack sends.
    pub mtu: usize,
    /// Octets of data in the pieces of an inbound super-segment; `None`: inbound packets are never marked as such.
    pub mss: Option<NonZeroU16>,
    /// How much a deviation in time is forgiven.
    pub tolerance: Tolerance,
    /// A TSecr that echoes nothing is taken as a distance from the first timestamp.
    pub echo_is_scaled: bool,
    /// What a tick of the stack's timestamp clock is worth; `None`: TSval is not compared.
    pub timestamp_tick: Option<Duration>,
    /// Segments are never taken together.
    pub strict_segments: bool,
    /// A wrong packet is not the end.
    pub packets_are_not_fatal: bool,
    /// A wrong result of a call is not the end.
    pub calls_are_not_fatal: bool,
}

/// Why a script's settings cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// A value that makes no sense.
    #[error("--{name} cannot be `{value}`")]
    BadValue {
        /// The setting.
        name: String,
        /// Its value.
        value: String,
    },
    /// A setting of another tool, or one whose meaning nothing here has.
    #[error("--{0} is not supported")]
    Unsupported(String),
}

/// Settings of which nothing here depends: how the real tool runs its commands and names its devices.
const WITHOUT_EFFECT: &[&str] = &[
    "code_command",
    "code_format",
    "code_sockopt",
    "debug",
    "dry_run",
    "init_scripts",
    "send_omit_free",
    "speed",
    "verbose",
    "netmask_ip",
    "define",
];

impl Settings {
    /// What these lines mean, in order; the error is of the first line that means nothing.
    ///
    /// # Errors
    /// The line, and [`SettingError`].
    pub fn of(lines: &[Setting]) -> Result<Settings, (u32, SettingError)> {
        let mut raw = Raw::default();
        for line in lines {
            raw.set(line).map_err(|error| (line.line, error))?;
        }
        raw.finish().map_err(|error| (lines.last().map_or(0, |line| line.line), error))
    }

    /// The ends of packets.
    pub fn ends(&self) -> Ends {
        Ends {
            bound: SocketAddr::new(self.local, self.bind_port),
            far: SocketAddr::new(self.remote, self.connect_port),
        }
    }

    /// An end as sockets of this script's family see it.
    pub fn of_sockets(&self, end: SocketAddr) -> SocketAddr {
        match (self.ip_version, end.ip()) {
            (IpVersion::V4Mapped, IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), end.port()),
            (IpVersion::V4Mapped, IpAddr::V6(_)) | (IpVersion::V4 | IpVersion::V6, _) => end,
        }
    }

    /// An end as packets have it, of one that a socket has told.
    pub fn of_packets(&self, end: SocketAddr) -> SocketAddr {
        SocketAddr::new(end.ip().to_canonical(), end.port())
    }
}

/// Settings on the way.
#[derive(Default)]
struct Raw {
    ip_version: Option<IpVersion>,
    local: Option<IpAddr>,
    remote: Option<IpAddr>,
    gateway: Option<IpAddr>,
    bind_port: Option<u16>,
    connect_port: Option<u16>,
    mtu: Option<usize>,
    mss: Option<NonZeroU16>,
    tolerance: Tolerance,
    echo_is_scaled: bool,
    timestamp_tick: Option<Duration>,
    strict_segments: bool,
    packets_are_not_fatal: bool,
    calls_are_not_fatal: bool,
}

impl Raw {
    fn set(&mut self, setting: &Setting) -> Result<(), SettingError> {
        let name = setting.name.as_str();
        let value = setting.value.as_deref().unwrap_or_default().trim();
        let bad = || SettingError::BadValue { name: name.to_owned(), value: value.to_owned() };
        // `192.0.2.1/24`: what is routed there is no concern of a wire with two ends.
        let address = || value.split('/').next().unwrap_or_default().parse::<IpAddr>().map_err(|_| bad());
        let port = || value.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(bad);
        match name {
            "ip_version" => {
                self.ip_version = Some(match value {
                    "ipv4" => IpVersion::V4,
                    "ipv4-mapped-ipv6" => IpVersion::V4Mapped,
                    "ipv6" => IpVersion::V6,
                    _ => return Err(bad()),
                });
            }
            "local_ip" => self.local = Some(address()?),
            "remote_ip" => self.remote = Some(address()?),
            "gateway_ip" => self.gateway = Some(address()?),
            "bind_port" => self.bind_port = Some(port()?),
            "connect_port" => self.connect_port = Some(port()?),
            "mtu" => self.mtu = Some(value.parse().ok().filter(|mtu| *mtu <= 65_535).ok_or_else(bad)?),
            "mss" => self.mss = Some(value.parse().map_err(|_| bad())?),
            "tolerance_usecs" => {
                let micros = value.parse().ok().filter(|micros| *micros > 0).ok_or_else(bad)?;
                self.tolerance.least = Duration::from_micros(micros);
            }
            "tolerance_percent" => self.tolerance.millionths = percentage(value).ok_or_else(bad)?,
            "tcp_ts_ecr_scaled" => self.echo_is_scaled = true,
            "tcp_ts_tick_usecs" => {
                let micros: u64 = value.parse().ok().filter(|micros| *micros <= 1_000_000).ok_or_else(bad)?;
                self.timestamp_tick = (micros > 0).then(|| Duration::from_micros(micros));
            }
            "strict_segments" => self.strict_segments = true,
            "non_fatal" => {
                self.packets_are_not_fatal |= value.contains("packet");
                self.calls_are_not_fatal |= value.contains("syscall");
            }
            _ if WITHOUT_EFFECT.contains(&name) => {}
            _ => return Err(SettingError::Unsupported(name.to_owned())),
        }
        Ok(())
    }

    fn finish(self) -> Result<Settings, SettingError> {
        let says_v6 = [self.local, self.remote].into_iter().flatten().any(|address| address.is_ipv6());
        let ip_version = self.ip_version.unwrap_or(if says_v6 { IpVersion::V6 } else { IpVersion::V4 });
        let (local, remote, gateway, prefix) = match ip_version {
            IpVersion::V4 | IpVersion::V4Mapped => (
                IpAddr::from(Ipv4Addr::new(192, 168, 0, 2)),
                IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)),
                IpAddr::from(Ipv4Addr::new(192, 168, 0, 1)),
                16,
            ),
            IpVersion::V6 => (
                IpAddr::from(Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 2)),
                IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
                IpAddr::from(Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0x8888, 0, 0, 0, 0)),
                48,
            ),
        };
        let chosen = |name: &str, typed: Option<IpAddr>, usual: IpAddr| match typed {
            None => Ok(usual),
            Some(address) if address.is_ipv6() == usual.is_ipv6() => Ok(address),
            Some(address) => Err(SettingError::BadValue { name: name.to_owned(), value: address.to_string() }),
        };
        Ok(Settings {
            ip_version,
            local: chosen("local_ip", self.local, local)?,
            prefix,
            remote: chosen("remote_ip", self.remote, remote)?,
            gateway: chosen("gateway_ip", self.gateway, gateway)?,
            bind_port: self.bind_port.unwrap_or(8080),
            connect_port: self.connect_port.unwrap_or(8080),
            mtu: self.mtu.filter(|mtu| *mtu > 0).unwrap_or(1500),
            mss: self.mss,
            tolerance: self.tolerance,
            echo_is_scaled: self.echo_is_scaled,
            timestamp_tick: self.timestamp_tick,
            strict_segments: self.strict_segments,
            packets_are_not_fatal: self.packets_are_not_fatal,
            calls_are_not_fatal: self.calls_are_not_fatal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&str, &str)]) -> Result<Settings, (u32, SettingError)> {
        let lines: Vec<Setting> = lines
            .iter()
            .zip(1..)
            .map(|((name, value), line)| Setting {
                line,
                name: (*name).to_owned(),
                value: (!value.is_empty()).then(|| (*value).to_owned()),
            })
            .collect();
        Settings::of(&lines)
    }

    #[test]
    fn a_script_that_says_nothing_runs_over_ipv4_with_4_ms_of_tolerance() {
        let settings = of(&[]).expect("nothing is fine");
        assert_eq!(settings.ip_version, IpVersion::V4);
        assert_eq!(settings.ends().bound, "192.168.0.2:8080".parse().expect("an address"));
        assert_eq!(settings.ends().far, "192.0.2.1:8080".parse().expect("an address"));
        assert_eq!((settings.tolerance, settings.mtu), (Tolerance::default(), 1500));
    }

    #[test]
    fn what_a_script_sets_is_taken_and_the_rest_stays() {
        let settings = of(&[
            ("ip_version", "ipv6"),
            ("tolerance_usecs", "75000"),
            ("tcp_ts_tick_usecs", "1000"),
            ("remote_ip", "2001:db8::7/32"),
            ("strict_segments", ""),
            ("non_fatal", "packet,syscall"),
        ])
        .expect("all are known");
        assert_eq!(settings.ends().far, "[2001:db8::7]:8080".parse().expect("an address"));
        assert_eq!(settings.tolerance.least, Duration::from_millis(75));
        assert_eq!(settings.timestamp_tick, Some(Duration::from_millis(1)));
        assert!(settings.strict_segments && settings.packets_are_not_fatal && settings.calls_are_not_fatal);
    }

    #[test]
    fn sockets_of_mapped_runs_see_mapped_addresses_and_packets_do_not() {
        let settings = of(&[("ip_version", "ipv4-mapped-ipv6")]).expect("it is known");
        let seen = settings.of_sockets(settings.ends().far);
        assert_eq!(seen, "[::ffff:192.0.2.1]:8080".parse().expect("an address"));
        assert_eq!(settings.of_packets(seen), settings.ends().far);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line() {
        for (lines, line) in [
            (&[("mtu", "1500"), ("tolerance_usecs", "0")][..], 2),
            (&[("ip_version", "ipv5")], 1),
            (&[("wire_server", "")], 1),
            (&[("mss", "0")], 1),
            (&[("bind_port", "65536")], 1),
            (&[("ip_version", "ipv4"), ("local_ip", "fd::1")], 2),
        ] {
            assert_eq!(of(lines).expect_err("it makes no sense").0, line, "{lines:?}");
        }
    }
}
