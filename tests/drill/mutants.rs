//! Scripts made wrong, one statement at a time.

use std::time::Duration;

use wireglass::drill::language::script::{At, Body, Script, TcpSpec, Value, What};
use wireglass::packet::TcpFlags;

/// A script in which one statement is wrong.
pub(super) struct Mutant {
    pub(super) script: Script,
    /// The line of the statement.
    pub(super) line: u32,
    /// What is wrong with it.
    pub(super) what: &'static str,
}

/// Beyond any tolerance of these scripts, for events that are to happen at once.
const TOO_LONG: Duration = Duration::from_millis(20);

/// Every mutant of a script.
pub(super) fn mutants(script: &Script) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let mut seen_syn = false;
    for (index, event) in script.events.iter().enumerate() {
        let mut put = |what: &'static str, change: &dyn Fn(&mut At, &mut What)| {
            let mut mutant = script.clone();
            let event = &mut mutant.events[index];
            change(&mut event.at, &mut event.what);
            let line = event.line;
            mutants.push(Mutant { script: mutant, line, what });
        };
        // Each connection has a number of its own.
        seen_syn &= !matches!(&event.what, What::Call(call) if call.name == "socket");
        match &event.what {
            What::Expect(packet) => {
                if event.at != At::Any {
                    put("expected half as late again", &|at, _| *at = later(*at));
                }
                match &packet.body {
                    Body::Tcp(tcp) => {
                        put("acknowledgment + 1", &|_, what| {
                            segment(what, |tcp| {
                                tcp.ack = Some(tcp.ack.unwrap_or_default() + 1);
                            })
                        });
                        // The number of a connection's first SYN from the stack is the script's to choose: another says nothing else.
                        let names_the_first = tcp.flags.syn() && !seen_syn;
                        seen_syn |= tcp.flags.syn();
                        if !names_the_first {
                            put("sequence number + 1", &|_, what| {
                                segment(what, |tcp| {
                                    (tcp.seq, tcp.end) = (tcp.seq + 1, tcp.end + 1);
                                })
                            });
                        }
                        put("one octet more", &|_, what| {
                            segment(what, |tcp| {
                                (tcp.end, tcp.length) = (tcp.end + 1, tcp.length + 1);
                            })
                        });
                        for (flag, name) in FLAGS {
                            put(name, &|_, what| segment(what, |tcp| tcp.flags = TcpFlags(tcp.flags.0 ^ flag.0)));
                        }
                    }
                    Body::Udp { .. } => put("one octet more", &|_, what| {
                        if let What::Expect(packet) = what
                            && let Body::Udp { length } = &mut packet.body
                        {
                            *length += 1;
                        }
                    }),
                    Body::Icmp(_) => {}
                }
            }
            What::Call(call) => {
                // Any number of a descriptor is as good as another.
                if matches!(call.name.as_str(), "socket" | "accept") {
                    continue;
                }
                put("result + 1", &|_, what| {
                    if let What::Call(call) = what {
                        call.errno = None;
                        call.result = match &call.result {
                            Some(Value::Integer(number)) => Some(Value::Integer(number + 1)),
                            other => other.clone(),
                        };
                    }
                });
                if call.errno.is_some() {
                    put("another error", &|_, what| {
                        if let What::Call(call) = what {
                            call.errno = Some("EDOM".to_owned());
                        }
                    });
                }
                if call.returns_at.is_some() {
                    put("returns half as late again", &|_, what| {
                        if let What::Call(call) = what {
                            call.returns_at = call.returns_at.map(later);
                        }
                    });
                }
            }
            What::Code(code) => {
                for falsified in falsified(code) {
                    put("comparison turned over", &|_, what| *what = What::Code(falsified.clone()));
                }
            }
            What::Inject(_) | What::Shell(_) | What::Unsupported(_) => {}
        }
    }
    mutants
}

const FLAGS: [(TcpFlags, &str); 8] = [
    (TcpFlags::FIN, "FIN turned over"),
    (TcpFlags::SYN, "SYN turned over"),
    (TcpFlags::RST, "RST turned over"),
    (TcpFlags::PSH, "PSH turned over"),
    (TcpFlags::ACK, "ACK turned over"),
    (TcpFlags::URG, "URG turned over"),
    (TcpFlags::ECE, "ECE turned over"),
    (TcpFlags::CWR, "CWR turned over"),
];

/// The code with one of its comparisons turned over, for each of them.
fn falsified(code: &str) -> Vec<String> {
    let turned = |(comparison, opposite): &(&str, &str)| {
        let places: Vec<usize> = code.match_indices(comparison).map(|(at, _)| at).collect();
        let (length, opposite) = (comparison.len(), opposite.to_string());
        places.into_iter().map(move |at| format!("{}{opposite}{}", &code[..at], &code[at + length..]))
    };
    [(" == ", " != "), (" > ", " <= ")].iter().flat_map(turned).collect()
}

fn segment(what: &mut What, change: impl Fn(&mut TcpSpec)) {
    if let What::Expect(packet) = what
        && let Body::Tcp(tcp) = &mut packet.body
    {
        change(tcp);
    }
}

/// Half as late again, and in any case too late; a range moves as a whole beyond its end.
fn later(at: At) -> At {
    let more = |span: Duration| span + (span / 2).max(TOO_LONG);
    match at {
        At::Absolute(time) => At::Absolute(more(time)),
        At::Relative(span) => At::Relative(more(span)),
        At::AbsoluteRange(from, to) => At::AbsoluteRange(more(to), more(to) + (to - from)),
        At::RelativeRange(from, to) => At::RelativeRange(more(to), more(to) + (to - from)),
        At::Start | At::Any => at,
    }
}
