//! Congestion controls, by the names that systems have for them.

use crate::stack::{Congestion, CongestionChoice};

/// A congestion control, by the name Linux has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CongestionName(pub Congestion);

impl CongestionName {
    /// What `reno`, `newreno`, `cubic` or `bbr` means; `None` for one that is not built in.
    pub fn named(name: &str) -> Option<CongestionName> {
        match name {
            "reno" | "newreno" => Some(CongestionName(Congestion::Reno)),
            "cubic" => Some(CongestionName(Congestion::Cubic)),
            "bbr" => Some(CongestionName(Congestion::Bbr)),
            _ => None,
        }
    }

    /// As sockets are asked for it; `None` for one that they cannot be asked for.
    pub fn choice(self) -> Option<CongestionChoice> {
        Some(match self.0 {
            Congestion::None => CongestionChoice::None,
            Congestion::Reno => CongestionChoice::Reno,
            Congestion::Cubic => CongestionChoice::Cubic,
            Congestion::Bbr => CongestionChoice::Bbr,
            Congestion::Other(_) => return None,
        })
    }

    /// As `TCP_CONGESTION` says it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Congestion::None => "none",
            Congestion::Reno => "reno",
            Congestion::Cubic => "cubic",
            Congestion::Bbr => "bbr",
            Congestion::Other(algorithm) => algorithm.name,
        }
    }
}
