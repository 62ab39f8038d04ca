//! The sysctls that say by which rules losses are found, and time-outs looked through.

use super::{SysctlError, Sysctls};

/// Which of the newer rules of loss recovery a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryRules {
    /// `tcp_recovery`, bit 0: losses are found by time (RACK, RFC 8985 §6); else by counting (RFC 6675).
    pub rack: bool,
    /// `tcp_early_retrans`: the end of a flight is probed (RFC 8985 §7).
    pub tail_loss_probe: bool,
    /// `tcp_frto`: a time-out is looked through that was not needed (RFC 5682).
    pub f_rto: bool,
}

impl RecoveryRules {
    /// Linux's.
    pub(super) const LINUX: RecoveryRules = RecoveryRules { rack: true, tail_loss_probe: true, f_rto: true };
}

impl Sysctls {
    /// Sets `name`, if it is one of these; returns whether it is.
    pub(super) fn set_recovery(&mut self, name: &str, value: &str) -> Result<bool, SysctlError> {
        let number = || {
            let bad = |_| SysctlError::BadValue { name: name.to_owned(), value: value.to_owned() };
            value.parse::<u32>().map_err(bad)
        };
        let rules = &mut self.recovery;
        match name {
            "tcp_recovery" => match number()? {
                only @ (0 | 1) => rules.rack = only == 1,
                _ => {
                    let (name, value) = (name.to_owned(), value.to_owned());
                    let why = "how long RACK waits for late segments is as RFC 8985 has it";
                    return Err(SysctlError::Unsupported { name, value, why });
                }
            },
            // 1 and 2 asked for early retransmit (RFC 5827), which Linux has dropped: no probes, and nothing instead.
            "tcp_early_retrans" => rules.tail_loss_probe = matches!(number()?, 3 | 4),
            "tcp_frto" => rules.f_rto = number()? != 0,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::TcpConfig;

    fn set(name: &str, value: &str) -> Result<(bool, bool, bool), SysctlError> {
        let mut sysctls = Sysctls::default();
        sysctls.set(name, value)?;
        let config = sysctls.tcp_config(&TcpConfig::default());
        Ok((config.rack, config.tail_loss_probe, config.f_rto))
    }

    #[test]
    fn each_rule_of_recovery_has_its_switch() {
        let set = |name, value| set(name, value).expect("it is known");
        assert_eq!((set("tcp_recovery", "0"), set("tcp_recovery", "1")), ((false, true, true), (true, true, true)));
        let probes = ["0", "1", "2", "3", "4"].map(|value| set("tcp_early_retrans", value).1);
        assert_eq!(probes, [false, false, false, true, true]);
        assert_eq!((set("net.ipv4.tcp_frto", "0"), set("tcp_frto", "2")), ((true, true, false), (true, true, true)));
    }

    #[test]
    fn other_windows_of_rack_are_refused() {
        for value in ["2", "3", "4"] {
            assert!(matches!(set("tcp_recovery", value), Err(SysctlError::Unsupported { .. })), "{value}");
        }
        assert!(matches!(set("tcp_recovery", "on"), Err(SysctlError::BadValue { .. })));
    }
}
