//! What a lab's `tcp` means for a kernel: what it can be told by settings of its namespace, and what it cannot.
//!
//! | `tcp` | Linux |
//! |---|---|
//! | `sack` | `tcp_sack` |
//! | `timestamps` | `tcp_timestamps` |
//! | `rack` | `tcp_recovery`; without effect in newer kernels (6.18 for one), which have nothing but RACK |
//! | `tail_loss_probe` | `tcp_early_retrans` |
//! | `f_rto` | `tcp_frto` |
//! | `ecn` | `tcp_ecn` |
//! | `congestion` | asked for socket by socket, where a run is watched |
//! | all else | nothing: Linux has it for each socket alone, or counts otherwise |

use crate::stack::{Congestion, Ecn, TcpConfig};

/// The kernel settings that say what `tcp` says, as far as that is not what a kernel does anyway.
pub(in crate::lab) fn sysctls(tcp: &TcpConfig) -> Vec<(&'static str, &'static str)> {
    let switches = [
        ("net.ipv4.tcp_sack", tcp.sack),
        ("net.ipv4.tcp_timestamps", tcp.timestamps),
        ("net.ipv4.tcp_recovery", tcp.rack),
        ("net.ipv4.tcp_early_retrans", tcp.tail_loss_probe),
        ("net.ipv4.tcp_frto", tcp.f_rto),
    ];
    let ecn = match tcp.ecn {
        Ecn::Off => Some("0"),
        Ecn::Active => Some("1"),
        Ecn::Passive => None,
    };
    let off = switches.into_iter().filter(|(_, is_on)| !is_on).map(|(name, _)| (name, "0"));
    off.chain(ecn.map(|value| ("net.ipv4.tcp_ecn", value))).collect()
}

/// What a lab file says in `tcp` that no setting of a kernel says, by the names of lab files.
pub(in crate::lab) fn without_setting(tcp: &TcpConfig) -> Vec<&'static str> {
    let usual = TcpConfig::default();
    let said = [
        ("send_buffer", tcp.send_buffer != usual.send_buffer),
        ("receive_buffer", tcp.receive_buffer != usual.receive_buffer),
        ("no_delay", tcp.no_delay != usual.no_delay),
        ("delayed_ack", tcp.delayed_ack != usual.delayed_ack),
        ("user_timeout", tcp.user_timeout != usual.user_timeout),
        ("keep_alive", tcp.keep_alive != usual.keep_alive),
    ];
    said.into_iter().filter(|(_, is_said)| *is_said).map(|(name, _)| name).collect()
}

/// The kernel's name of a congestion control. Linux has none that does nothing; Reno is the plainest.
pub(in crate::lab) fn congestion(congestion: Congestion) -> String {
    let name = serde_json::to_value(congestion).ok().and_then(|name| name.as_str().map(str::to_owned));
    name.filter(|name| name != "none").unwrap_or_else(|| "reno".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_usual_is_left_to_the_kernel() {
        assert_eq!(sysctls(&TcpConfig::default()), []);
        assert_eq!(without_setting(&TcpConfig::default()), [""; 0]);
    }

    #[test]
    fn each_switch_has_its_setting() {
        let usual = TcpConfig::default;
        for (tcp, name, value) in [
            (TcpConfig { sack: false, ..usual() }, "net.ipv4.tcp_sack", "0"),
            (TcpConfig { timestamps: false, ..usual() }, "net.ipv4.tcp_timestamps", "0"),
            (TcpConfig { rack: false, ..usual() }, "net.ipv4.tcp_recovery", "0"),
            (TcpConfig { tail_loss_probe: false, ..usual() }, "net.ipv4.tcp_early_retrans", "0"),
            (TcpConfig { f_rto: false, ..usual() }, "net.ipv4.tcp_frto", "0"),
            (TcpConfig { ecn: Ecn::Off, ..usual() }, "net.ipv4.tcp_ecn", "0"),
            (TcpConfig { ecn: Ecn::Active, ..usual() }, "net.ipv4.tcp_ecn", "1"),
        ] {
            assert_eq!((sysctls(&tcp), without_setting(&tcp)), (vec![(name, value)], Vec::new()));
        }
    }

    #[test]
    fn what_no_setting_says_is_named_as_in_the_lab_file() {
        let tcp = TcpConfig { send_buffer: 1, delayed_ack: Some(Duration::ZERO), ..TcpConfig::default() };
        assert_eq!((sysctls(&tcp), without_setting(&tcp)), (Vec::new(), vec!["send_buffer", "delayed_ack"]));
    }
}
