//! Sysctls as scripts set them.

use super::*;

fn set(name: &str, value: &str) -> Result<TcpConfig, SysctlError> {
    let mut sysctls = Sysctls::default();
    sysctls.set(name, value)?;
    Ok(sysctls.tcp_config(&TcpConfig::default()))
}

#[test]
fn a_sysctl_has_three_spellings() {
    for name in ["tcp_sack", "net.ipv4.tcp_sack", "/proc/sys/net/ipv4/tcp_sack"] {
        assert!(!set(name, "0").expect("it is known").sack, "{name}");
    }
}

#[test]
fn what_no_stack_can_do_is_refused() {
    assert_eq!(set("tcp_nonsense", "1"), Err(SysctlError::Unknown("tcp_nonsense".to_owned())));
    let refused = |name, value| matches!(set(name, value), Err(SysctlError::Unsupported { .. }));
    for name in ["tcp_invalid_ratelimit", "tcp_orphan_retries", "tcp_stdurg", "tcp_thin_linear_timeouts"] {
        assert!(refused(name, "1"), "{name}");
    }
    assert!(refused("tcp_congestion_control", "vegas"));
    assert!(refused("tcp_ecn", "3") && refused("net.inet.tcp.icmp_may_rst", "0"));
    assert_eq!(set("tcp_ecn", "1").map(|config| config.ecn), Ok(Ecn::Active));
    assert_eq!(set("tcp_ecn", "0").map(|config| config.ecn), Ok(Ecn::Off));
    let bad = |name, value| matches!(set(name, value), Err(SysctlError::BadValue { .. }));
    assert!(bad("tcp_sack", "yes"));
}

#[test]
fn every_meaningful_sysctl_is_understood() {
    for name in MEANINGFUL {
        let known = !matches!(set(name, ""), Err(SysctlError::Unknown(_)));
        assert!(known, "{name}");
    }
}

#[test]
fn syn_cookies_are_switched_as_either_system_does() {
    let cookies = |name, value| set(name, value).expect("it is known").syn_cookies;
    assert_eq!(cookies("tcp_syncookies", "0"), SynCookies::Never);
    assert_eq!(cookies("tcp_syncookies", "2"), SynCookies::Always);
    assert_eq!(cookies("net.inet.tcp.syncookies", "1"), SynCookies::WhenFull);
    assert_eq!(cookies("net.inet.tcp.syncookies_only", "1"), SynCookies::Always);
}

#[test]
fn what_changes_nothing_is_taken() {
    assert!(set("net.ipv4.tcp_min_tso_segs", "10").is_ok());
    assert!(set("net.inet.tcp.hostcache.purgenow", "1").is_ok());
    assert!(set("module.tcp_cubic.hystart_detect", "2").is_ok());
}

#[test]
fn freebsd_sets_buffers_and_options_by_its_own_names() {
    let config = set("net.inet.tcp.recvspace", "65536").expect("it is known");
    assert_eq!((config.receive_buffer, config.window_scale), (65_536, Some(2)));
    let config = set("net.inet.tcp.rfc1323", "0").expect("it is known");
    assert!(!config.timestamps && !config.window_scaling);
    assert_eq!(
        set("net.inet.tcp.delacktime", "100").expect("it is known").delayed_ack,
        Some(Duration::from_millis(100))
    );
}
