//! The sysctls that say how a connection finds out how long a packet its path takes.

use std::time::Duration;

use super::{SysctlError, Sysctls};
use crate::tcp::PathProbing;
use crate::transport::PathReports;

impl Sysctls {
    /// Sets `name`, if it is one of these; returns whether it is.
    pub(super) fn set_path(&mut self, name: &str, value: &str) -> Result<bool, SysctlError> {
        let bad = || SysctlError::BadValue { name: name.to_owned(), value: value.to_owned() };
        let octets = || value.parse::<u16>().map_err(|_| bad());
        let path = &mut self.path;
        match name {
            "tcp_mtu_probing" => {
                path.probing = match value {
                    "0" => PathProbing::Off,
                    "1" => PathProbing::InBlackHoles,
                    "2" => PathProbing::Always,
                    _ => return Err(bad()),
                }
            }
            "tcp_base_mss" => path.base_segment = octets()?,
            "tcp_mtu_probe_floor" => path.least_segment = octets()?,
            "tcp_probe_interval" => path.probe_interval = Duration::from_secs(value.parse().map_err(|_| bad())?),
            "tcp_probe_threshold" => path.probe_threshold = octets()?,
            "tcp_retries1" => path.black_hole_after = value.parse().map_err(|_| bad())?,
            "route.min_pmtu" => path.least_mtu = octets()?,
            "ip_no_pmtu_disc" => path.reports = reports(value, "0").ok_or_else(bad)?,
            "net.inet.tcp.path_mtu_discovery" => path.reports = reports(value, "1").ok_or_else(bad)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What a switch means that is off at 0 and on at 1; reports are heard when it is `heard`. Linux's other values of
/// `ip_no_pmtu_disc` are about what routers may say, and not known here.
fn reports(value: &str, heard: &str) -> Option<PathReports> {
    match value {
        "0" | "1" if value == heard => Some(PathReports::Heard),
        "0" | "1" => Some(PathReports::NotAsked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::TcpConfig;
    use crate::tcp::PathDiscovery;

    fn set(name: &str, value: &str) -> Result<PathDiscovery, SysctlError> {
        let mut sysctls = Sysctls::default();
        sysctls.set(name, value)?;
        Ok(sysctls.tcp_config(&TcpConfig::default()).path)
    }

    #[test]
    fn what_is_believed_of_a_path_can_be_set() {
        let path = |name, value| set(name, value).expect("it is known");
        assert_eq!(path("tcp_sack", "1").probing, PathProbing::Off, "as Linux by default");
        let probing = ["0", "1", "2"].map(|value| path("tcp_mtu_probing", value).probing);
        assert_eq!(probing, [PathProbing::Off, PathProbing::InBlackHoles, PathProbing::Always]);
        assert!(matches!(set("tcp_mtu_probing", "3"), Err(SysctlError::BadValue { .. })));
        assert_eq!(path("tcp_base_mss", "512").base_segment, 512);
        assert_eq!(path("tcp_mtu_probe_floor", "100").least_segment, 100);
        assert_eq!(path("tcp_probe_interval", "60").probe_interval, Duration::from_secs(60));
        assert_eq!(path("tcp_probe_threshold", "16").probe_threshold, 16);
        assert_eq!(path("tcp_retries1", "5").black_hole_after, 5);
        assert_eq!(path("net.ipv4.route.min_pmtu", "296").least_mtu, 296);
        for (name, off, on) in [("ip_no_pmtu_disc", "1", "0"), ("net.inet.tcp.path_mtu_discovery", "0", "1")] {
            assert_eq!([path(name, off).reports, path(name, on).reports], [PathReports::NotAsked, PathReports::Heard]);
        }
    }
}
