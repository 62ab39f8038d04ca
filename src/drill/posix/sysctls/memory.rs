//! The sysctls that size buffers, and what a window is of a buffer.

use super::{SysctlError, Sysctls};

/// The largest shift of a window (RFC 7323 §2.3).
const LARGEST_SHIFT: u32 = 14;

impl Sysctls {
    /// Sets `name`, if it is one of these; returns whether it is.
    pub(super) fn set_memory(&mut self, name: &str, value: &str) -> Result<bool, SysctlError> {
        let bad = || SysctlError::BadValue { name: name.to_owned(), value: value.to_owned() };
        let octets = || value.parse::<u32>().map_err(|_| bad());
        match name {
            "tcp_rmem" => self.receive_memory = three(value).ok_or_else(bad)?,
            "tcp_wmem" => self.send_memory = three(value).ok_or_else(bad)?,
            "tcp_notsent_lowat" => self.unsent_low_water = octets()?,
            // FreeBSD's buffers hold what they say; Linux's half of it.
            "net.inet.tcp.recvspace" => self.receive_memory = [octets()?.saturating_mul(2); 3],
            "net.inet.tcp.sendspace" => self.send_memory = [octets()?; 3],
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// How much of a receive buffer Linux announces as window: half, the rest is for the packets' own weight.
pub(in crate::drill::posix) fn window_of(buffer: u32) -> usize {
    (buffer / 2) as usize
}

/// The shift that Linux offers for a receive buffer that may grow to `most` octets: the least that makes its highest bit
/// fit.
pub(in crate::drill::posix) fn shift_for(most: u32) -> u8 {
    most.checked_ilog2().unwrap_or(0).saturating_sub(15).min(LARGEST_SHIFT) as u8
}

/// `4096 87380 6291456`, by blanks or tabs.
fn three(value: &str) -> Option<[u32; 3]> {
    let mut words = value.split_whitespace().map(str::parse);
    let mut next = || words.next()?.ok();
    let three = [next()?, next()?, next()?];
    words.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::TcpConfig;

    fn set(name: &str, value: &str) -> Result<TcpConfig, SysctlError> {
        let mut sysctls = Sysctls::default();
        sysctls.set(name, value)?;
        Ok(sysctls.tcp_config(&TcpConfig::default()))
    }

    #[test]
    fn the_window_scale_follows_the_greatest_receive_buffer() {
        let config = set("net.ipv4.tcp_rmem", "4096 540000 15728640").expect("it is known");
        assert_eq!((config.window_scale, config.receive_buffer), (Some(8), 270_000));
        let config = set("tcp_rmem", "4096\t131072\t6291456").expect("tabs will do");
        assert_eq!(config.window_scale, Some(7));
        for most in [0, 1, 65_535] {
            assert_eq!(shift_for(most), 0, "{most}");
        }
        assert_eq!((shift_for(65_536), shift_for(u32::MAX)), (1, 14));
    }

    #[test]
    fn three_numbers_are_three() {
        for bad in ["1 2", "1 2 3 4", "1 2 x", ""] {
            assert!(matches!(set("tcp_rmem", bad), Err(SysctlError::BadValue { .. })), "{bad}");
        }
    }
}
