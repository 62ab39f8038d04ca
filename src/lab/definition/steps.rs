//! From what is typed to what is meant: steps, whom they talk to and their commands.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use crate::app::{Destination, Program, Span};

use super::error::Fault;
use super::raw::RawStep;
use super::selections::Scope;
use super::{Node, Step};

/// What a step means.
pub(super) fn step(scope: &Scope<'_>, raw: &RawStep) -> Result<Step, Fault> {
    let node = scope.host(&raw.on)?;
    let program = raw.run.get_ref();
    for peer in program.peers() {
        check_peer(scope, &raw.run, peer)?;
    }
    let exec = raw.exec.as_ref().map(|exec| command(scope, exec)).transpose()?;
    let stops = raw.stops.map(Span::duration);
    let background = raw.background.unwrap_or(program.is_server());
    Ok(Step { node, exec, background, stops, program: program.clone() })
}

/// A destination is an address, or a node of the lab by any of its names. Its place is looked for in the text of the step.
fn check_peer(scope: &Scope<'_>, run: &Spanned<Program>, peer: &Destination) -> Result<(), Fault> {
    let is_other_name = |node: &Node| node.host().is_some_and(|host| host.names.contains(&peer.host));
    if peer.host.parse::<IpAddr>().is_ok() || scope.nodes.iter().any(is_other_name) {
        return Ok(());
    }
    scope.node(&Spanned::new(place_of(scope, run, peer), peer.host.clone())).map(drop)
}

/// Where a program names its peer, as well as the text of its step shows it.
pub(super) fn place_of(scope: &Scope<'_>, run: &Spanned<Program>, peer: &Destination) -> Range<usize> {
    let span = run.span();
    let raw = scope.text.get(span.clone()).unwrap_or_default();
    let named = raw.find(&format!("{}:", peer.host)).or_else(|| raw.find(&format!("//{}", peer.host)).map(|at| at + 2));
    span.start + named.unwrap_or(0)..span.end
}

/// A command whose `{server}` are filled in with that node's address; `{{` stands for a brace.
fn command(scope: &Scope<'_>, raw: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, Fault> {
    if raw.get_ref().first().is_none_or(|program| program.get_ref().trim().is_empty()) {
        return Err(Fault::new(raw.span(), "`exec` names a program, such as [\"curl\", \"http://{server}:8080/\"]"));
    }
    raw.get_ref().iter().map(|word| filled_in(scope, word)).collect()
}

fn filled_in(scope: &Scope<'_>, word: &Spanned<String>) -> Result<String, Fault> {
    let mut filled = String::new();
    let mut rest = word.get_ref().as_str();
    while let Some((before, after)) = rest.split_once('{') {
        if let Some(behind) = after.strip_prefix('{') {
            filled.push_str(before);
            filled.push('{');
            rest = behind;
            continue;
        }
        let Some((name, behind)) = after.split_once('}') else {
            return Err(Fault::new(
                word.span(),
                "`{` begins the name of a node, which ends with `}`; write `{{` for a brace",
            ));
        };
        let id = scope.node(&Spanned::new(word.span(), name.to_owned()))?;
        filled.push_str(before);
        match scope.nodes.get(usize::from(id.0)).and_then(Node::address) {
            Some(IpAddr::V6(address)) => filled.push_str(&format!("[{address}]")),
            Some(IpAddr::V4(address)) => filled.push_str(&address.to_string()),
            None => {}
        }
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}
