//! `sockstat -4 -P tcp -s | grep packetdril | grep -c TIME_WAIT | grep 1`: FreeBSD's way to say how many connections are in
//! a state. The last `grep` decides; it would take 10 for 1, but the count that is meant is the number itself.

use super::Directive;
use super::words::{Link, Simple};

/// What the pipe asks for, if it is of this kind.
pub(super) fn expected(piped: &[Simple], command: &str) -> Option<Directive> {
    let (last, before) = piped.split_last()?;
    let is_pipe = before.iter().all(|command| command.link == Link::Pipe);
    if !is_pipe || piped.iter().any(|command| command.output.is_some()) {
        return None;
    }
    let words: Vec<Vec<&str>> =
        piped.iter().map(|command| command.words.iter().map(String::as_str).collect()).collect();
    let (sockstat, filters) = words.split_first()?;
    let (filters, [count, number]) = filters.split_at_checked(filters.len().checked_sub(2)?)? else {
        return None;
    };
    let is_own = |filter: &Vec<&str>| matches!(filter.as_slice(), ["grep", name] if "packetdrill".starts_with(name));
    if !filters.iter().all(is_own) || last.words.len() != 2 {
        return None;
    }
    match (count.as_slice(), number.as_slice()) {
        (["grep", "-c", state], ["grep", number]) => Some(Directive::Connections {
            command: command.to_owned(),
            state: (*state).to_owned(),
            port: port(sockstat)?,
            count: number.parse().ok()?,
        }),
        _ => None,
    }
}

/// The port that `sockstat` is asked for, if any; `None` when it is asked for something else.
fn port(sockstat: &[&str]) -> Option<Option<u16>> {
    let mut words = sockstat.iter();
    if words.next() != Some(&"sockstat") {
        return None;
    }
    let (mut port, mut has_states) = (None, false);
    while let Some(word) = words.next() {
        match *word {
            "-4" | "-6" => {}
            "-s" => has_states = true,
            "-P" if words.next() == Some(&"tcp") => {}
            "-p" => port = Some(words.next()?.parse().ok()?),
            _ => return None,
        }
    }
    has_states.then_some(port)
}
