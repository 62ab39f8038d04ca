//! What a host's connections begin with.

use toml::Spanned;

use crate::app::{Size, Span};
use crate::stack::TcpConfig;
use crate::tcp::{Ecn, FastOpen, PathDiscovery, PathProbing, SynCookies};
use crate::transport::PathReports;

use super::error::Fault;
use super::raw_network::{RawCookies, RawEcn, RawProbing, RawReports, RawTcp};
use super::values::SpanOrOff;

/// Connections that a listener opens early, when it takes part in Fast Open.
const EARLY: usize = 16;

/// What `tcp = { … }` means. What it leaves out is as it always is.
pub(super) fn tcp(raw: &RawTcp) -> Result<TcpConfig, Fault> {
    let default = TcpConfig::default();
    let or_off = |said: Option<SpanOrOff>, default| said.map_or(default, |SpanOrOff(span)| span.map(Span::duration));
    let span = |said: Option<Span>, default| said.map_or(default, Span::duration);
    Ok(TcpConfig {
        send_buffer: buffer(raw.send_buffer.as_ref(), "send_buffer", default.send_buffer)?,
        receive_buffer: buffer(raw.receive_buffer.as_ref(), "receive_buffer", default.receive_buffer)?,
        no_delay: raw.no_delay.unwrap_or(default.no_delay),
        delayed_ack: or_off(raw.delayed_ack, default.delayed_ack),
        user_timeout: or_off(raw.user_timeout, default.user_timeout),
        keep_alive: or_off(raw.keep_alive, default.keep_alive),
        congestion: raw.congestion.as_ref().map_or(default.congestion, |said| *said.get_ref()),
        sack: raw.sack.unwrap_or(default.sack),
        timestamps: raw.timestamps.unwrap_or(default.timestamps),
        rack: raw.rack.unwrap_or(default.rack),
        tail_loss_probe: raw.tail_loss_probe.unwrap_or(default.tail_loss_probe),
        f_rto: raw.f_rto.unwrap_or(default.f_rto),
        hystart: raw.hystart.or(default.hystart),
        ecn: raw.ecn.map_or(default.ecn, ecn),
        window_scaling: raw.window_scaling.unwrap_or(default.window_scaling),
        max_segment: at_least(raw.max_segment.as_ref(), "max_segment", 1)?,
        initial_window: at_least(raw.initial_window.as_ref(), "initial_window", 1)?.unwrap_or(default.initial_window),
        slow_start_after_idle: raw.slow_start_after_idle.unwrap_or(default.slow_start_after_idle),
        rto_min: span(raw.rto_min, default.rto_min),
        rto_initial: span(raw.rto_initial, default.rto_initial),
        time_wait: span(raw.time_wait, default.time_wait),
        path: path(raw, default.path),
        syn_cookies: raw.syn_cookies.map_or(default.syn_cookies, cookies),
        half_open: raw.half_open.unwrap_or(default.half_open),
        fast_open: fast_open(raw.fast_open, default.fast_open),
        trusts_resets: raw.trusts_resets.unwrap_or(default.trusts_resets),
        ..default
    })
}

fn buffer(said: Option<&Spanned<Size>>, field: &str, default: usize) -> Result<usize, Fault> {
    let Some(said) = said else { return Ok(default) };
    match usize::try_from(said.get_ref().octets()).unwrap_or(usize::MAX) {
        0 => Err(Fault::new(said.span(), format!("`{field}` is at least \"1B\": through none no octet passes"))),
        octets => Ok(octets),
    }
}

fn at_least<N: Copy + PartialOrd + From<u8>>(
    said: Option<&Spanned<N>>,
    field: &str,
    least: u8,
) -> Result<Option<N>, Fault> {
    match said {
        Some(said) if *said.get_ref() < N::from(least) => {
            Err(Fault::new(said.span(), format!("`{field}` is at least {least}")))
        }
        said => Ok(said.map(|said| *said.get_ref())),
    }
}

fn path(raw: &RawTcp, default: PathDiscovery) -> PathDiscovery {
    PathDiscovery {
        reports: raw.path_reports.map_or(default.reports, |reports| match reports {
            RawReports::NotAsked => PathReports::NotAsked,
            RawReports::Heard => PathReports::Heard,
            RawReports::Ignored => PathReports::Ignored,
        }),
        probing: raw.path_probing.map_or(default.probing, |probing| match probing {
            RawProbing::Off => PathProbing::Off,
            RawProbing::InBlackHoles => PathProbing::InBlackHoles,
            RawProbing::Always => PathProbing::Always,
        }),
        ..default
    }
}

fn ecn(raw: RawEcn) -> Ecn {
    match raw {
        RawEcn::Off => Ecn::Off,
        RawEcn::Passive => Ecn::Passive,
        RawEcn::Active => Ecn::Active,
    }
}

fn cookies(raw: RawCookies) -> SynCookies {
    match raw {
        RawCookies::Never => SynCookies::Never,
        RawCookies::WhenFull => SynCookies::WhenFull,
        RawCookies::Always => SynCookies::Always,
    }
}

fn fast_open(said: Option<bool>, default: FastOpen) -> FastOpen {
    match said {
        None => default,
        Some(on) => FastOpen { client: on, queue: if on { EARLY } else { 0 }, ..default },
    }
}
