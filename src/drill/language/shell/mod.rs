//! What a command between backquotes means.
//!
//! packetdrill hands commands to a shell, which turns knobs of the kernel under test. A stack of ours has no kernel and no
//! shell, so a command is *understood* or the script is unsupported; none is run, and none is passed over in silence.
//!
//! | command | meaning |
//! |---|---|
//! | `…/defaults.sh` | the settings that google's suite starts from |
//! | `sysctl [-q] [-w] a=b …`, `…/set_sysctls.py a=b …`, `echo b > /proc/sys/a` | settings |
//! | `echo b > /sys/module/M/parameters/P` | the setting `module.M.P` |
//! | `ip tcp_metrics flush all`, `sysctl -w net.inet.tcp.hostcache.purgenow=1` | forget what is known of peers |
//! | `sockstat … -s \| grep … \| grep -c STATE \| grep N` | N connections are in this state |
//! | `rm -f FILE`, `dd … of=FILE`, with all files below `/tmp` | nothing: no call that reaches a file is known |
//! | `…/sysctl_restore_….sh`, `ethtool -K`, `nstat` alone, `kldload`, `tc … pfifo` without a limit | nothing |
//!
//! Whoever carries the settings out knows which names have a meaning; a name without one makes the script unsupported too.

mod connections;
mod words;

#[cfg(test)]
mod tests;

use words::{Link, Simple, commands};

/// One thing that a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Set a knob. Names have points (`net.ipv4.tcp_sack`); the parts of a value have one blank between them.
    Sysctl {
        /// The knob.
        name: String,
        /// Its value, as written.
        value: String,
    },
    /// Forget what earlier connections taught about peers: Fast Open cookies, metrics.
    ForgetPeers {
        /// As written, on one line.
        command: String,
    },
    /// So many connections must be in this state now.
    Connections {
        /// As written, on one line.
        command: String,
        /// The state as FreeBSD spells it: `TIME_WAIT`, `SYN_RCVD`.
        state: String,
        /// Only those with this local or remote port.
        port: Option<u16>,
        /// How many.
        count: u32,
    },
    /// Nothing that a stack of ours could show.
    Ignore {
        /// As written, on one line.
        command: String,
    },
    /// Nobody knows: the script is unsupported.
    Unsupported {
        /// As written, on one line.
        command: String,
    },
}

/// What google's suite sets before most scripts. `net.ipv4.` stands before each name.
const DEFAULTS: [(&str, &str); 23] = [
    ("tcp_rmem", "4096 540000 15728640"),
    ("tcp_wmem", "4096 262144 4194304"),
    ("tcp_timestamps", "1"),
    ("tcp_syn_retries", "5"),
    ("tcp_synack_retries", "5"),
    ("tcp_frto", "2"),
    ("tcp_sack", "1"),
    ("tcp_dsack", "1"),
    ("tcp_fack", "0"),
    ("tcp_reordering", "3"),
    ("tcp_congestion_control", "cubic"),
    ("tcp_slow_start_after_idle", "0"),
    ("tcp_early_retrans", "4"),
    ("tcp_recovery", "1"),
    ("tcp_tso_win_divisor", "3"),
    ("tcp_ecn", "0"),
    ("tcp_ecn_option", "2"),
    ("tcp_pacing_ss_ratio", "200"),
    ("tcp_pacing_ca_ratio", "120"),
    ("tcp_notsent_lowat", "4294967295"),
    ("tcp_fastopen", "0x70403"),
    ("tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"),
    ("tcp_syncookies", "1"),
];

/// What a block of commands means, in its order.
pub fn directives(block: &str) -> Vec<Directive> {
    let mut directives = Vec::new();
    let Some(commands) = commands(block) else {
        return vec![Directive::Unsupported { command: one_line(block) }];
    };
    let mut rest = commands.as_slice();
    while !rest.is_empty() {
        let length = rest.iter().take_while(|command| command.link != Link::Next).count() + 1;
        let (joined, others) = rest.split_at(length.min(rest.len()));
        meaning(joined, &mut directives);
        rest = others;
    }
    directives
}

/// The meaning of commands that pipes or `||` join, of which there may be only one.
fn meaning(joined: &[Simple], directives: &mut Vec<Directive>) {
    let text: Vec<&str> = joined.iter().map(|command| command.text.as_str()).collect();
    let command = text.join(" ");
    match joined {
        [] => {}
        [alone] => match simple(alone) {
            Some(meant) => directives.extend(meant),
            None => directives.push(Directive::Unsupported { command }),
        },
        [first, second] if is_flush(first, second) => directives.push(Directive::ForgetPeers { command }),
        [..] => directives.push(connections::expected(joined, &command).unwrap_or(Directive::Unsupported { command })),
    }
}

/// `sysctl … tcp_fastopen_cookies=0 … || ip tcp_metrics flush all`: kernels forget cookies in one way or the other.
fn is_flush(first: &Simple, second: &Simple) -> bool {
    let is_switch = |word: &String| word.starts_with('-') || word.starts_with("net.ipv4.tcp_fastopen_cookies=");
    let forgets = first.words.split_first().is_some_and(|(name, rest)| name == "sysctl" && rest.iter().all(is_switch));
    first.link == Link::Otherwise
        && forgets
        && matches!(simple(second).as_deref(), Some([Directive::ForgetPeers { .. }]))
}

/// The meaning of one command; `None` when nobody knows.
fn simple(command: &Simple) -> Option<Vec<Directive>> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let (program, arguments) = words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let text = || command.text.clone();
    if command.output.is_some() && name != "echo" {
        return None;
    }
    match (name, arguments) {
        ("defaults.sh", []) => Some(defaults(&text())),
        ("sysctl", _) => sysctls(arguments, &text()),
        ("set_sysctls.py", [_, ..]) => arguments.iter().map(|argument| sysctl(argument, &text())).collect(),
        ("echo", [value]) => command.output.as_deref().and_then(|file| written(file, value)).map(|one| vec![one]),
        ("ip", ["tcp_metrics", "flush", "all"]) => Some(vec![Directive::ForgetPeers { command: text() }]),
        _ if is_harmless(name, arguments) => Some(vec![Directive::Ignore { command: text() }]),
        _ => None,
    }
}

fn is_harmless(name: &str, arguments: &[&str]) -> bool {
    match (name, arguments) {
        (restore, []) => (restore.starts_with("sysctl_restore_") && restore.ends_with(".sh")) || restore == "nstat",
        ("ethtool", ["-K", ..]) | ("kldload", [_]) => true,
        ("rm", ["-f", files @ ..]) => files.iter().all(|file| is_temporary(file)),
        ("dd", options) => options.iter().all(|option| option.strip_prefix("of=").is_none_or(is_temporary)),
        ("tc", ["qdisc", "add" | "replace", "dev", _, "root", "pfifo"]) => true,
        _ => false,
    }
}

/// Whether a file is one that a script made for itself.
fn is_temporary(file: &str) -> bool {
    file.starts_with("/tmp/") && !file.contains("..")
}

fn defaults(command: &str) -> Vec<Directive> {
    let settings = DEFAULTS
        .iter()
        .map(|(name, value)| Directive::Sysctl { name: format!("net.ipv4.{name}"), value: (*value).to_owned() });
    std::iter::once(Directive::ForgetPeers { command: command.to_owned() }).chain(settings).collect()
}

/// `[-q] [-w] [-e] a=b …`: without a value it would ask, not set.
fn sysctls(arguments: &[&str], command: &str) -> Option<Vec<Directive>> {
    let settings: Vec<&str> =
        arguments.iter().copied().filter(|argument| !matches!(*argument, "-q" | "-w" | "-e" | "-qw" | "-wq")).collect();
    if settings.is_empty() {
        return None;
    }
    settings.into_iter().map(|setting| sysctl(setting, command)).collect()
}

fn sysctl(setting: &str, command: &str) -> Option<Directive> {
    let (name, value) = setting.split_once('=')?;
    let name = name.strip_prefix("/proc/sys/").unwrap_or(name).replace('/', ".");
    let is_name =
        name.contains('.') && name.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter));
    if !is_name {
        return None;
    }
    if name == "net.inet.tcp.hostcache.purgenow" && value == "1" {
        return Some(Directive::ForgetPeers { command: command.to_owned() });
    }
    Some(Directive::Sysctl { name, value: parts(value) })
}

/// `echo value > file`.
fn written(file: &str, value: &str) -> Option<Directive> {
    if file.starts_with("/proc/sys/") {
        return sysctl(&format!("{file}={value}"), "");
    }
    let (module, parameter) = file.strip_prefix("/sys/module/")?.split_once("/parameters/")?;
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_name(module) && is_name(parameter))
        .then(|| Directive::Sysctl { name: format!("module.{module}.{parameter}"), value: parts(value) })
}

/// A value with one blank between its parts.
fn parts(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text on one line.
fn one_line(text: &str) -> String {
    text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}
