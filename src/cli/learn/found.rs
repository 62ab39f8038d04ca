//! Whether somebody has found a hidden fault: the questions at the terminal, the marks, the answer.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::str::FromStr;

use crate::check::{Evidence, Mention};
use crate::cli::terminal::Terminal;
use crate::journal::NodeId;
use crate::lab::diagnosis::{Assessment, Diagnosis, DiagnosisError, Mark, PacketAt, assess, shown};
use crate::lab::{Definition, Fault, Layer};
use crate::report;

/// Packets of a node that the answer names.
const PACKETS_NAMED: usize = 6;

/// Asks for a layer, a hop and a packet. `None` when nothing was said to any of them.
///
/// # Errors
/// What the terminal says.
pub(in crate::cli) fn ask(
    lab: &Definition,
    input: &mut impl BufRead,
    out: &mut impl Write,
    terminal: Terminal,
) -> io::Result<Option<Diagnosis>> {
    let layers = Layer::ALL.map(Layer::name).join(", ");
    writeln!(out, "\n{}", terminal.bold("Where is it?"))?;
    write!(
        out,
        "{}",
        report::paragraph("Look first, as long as you like. Enter skips a question.", 0, &terminal.style(false))
    )?;
    let mut diagnosis = Diagnosis { layer: one(&format!("layer ({layers})"), input, out)?, ..Diagnosis::default() };
    diagnosis.hop = one::<Hop>("hop (a node, or a link such as client-isp)", input, out)?.map(|hop| hop.0);
    let first = lab.nodes.first().map_or("", |node| node.name.as_str());
    diagnosis.packet = one(&format!("packet (its number in {first}'s capture, or such as dc:12)"), input, out)?;
    Ok((diagnosis != Diagnosis::default()).then_some(diagnosis))
}

/// A name that is looked for in the lab later.
struct Hop(String);

impl FromStr for Hop {
    type Err = DiagnosisError;

    fn from_str(text: &str) -> Result<Hop, DiagnosisError> {
        Ok(Hop(text.to_owned()))
    }
}

/// One answer, asked for once more when it is none.
fn one<T: FromStr<Err = DiagnosisError>>(
    question: &str,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> io::Result<Option<T>> {
    for _ in 0..2 {
        write!(out, "   {question}> ")?;
        out.flush()?;
        let mut line = Vec::new();
        // Octets, since a terminal may send any; and no more of them than an answer has.
        if io::Read::take(&mut *input, 4096).read_until(b'\n', &mut line)? == 0 {
            writeln!(out)?;
            return Ok(None);
        }
        let text: String = String::from_utf8_lossy(&line).trim().chars().filter(|char| !char.is_control()).collect();
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse() {
            Ok(said) => return Ok(Some(said)),
            Err(error) => writeln!(out, "   {error}")?,
        }
    }
    Ok(None)
}

/// A diagnosis with its marks, and the answer with its reasons once it is right, or when it is asked for.
///
/// # Errors
/// [`DiagnosisError`]
pub(in crate::cli) fn told(
    (lab, fault): (&Definition, &Fault),
    diagnosis: &Diagnosis,
    evidence: &Evidence<'_>,
    seed: u64,
    reveal: bool,
    terminal: Terminal,
) -> Result<(Assessment, String), DiagnosisError> {
    let assessment = assess(lab, fault, diagnosis, evidence, seed)?;
    let mut out = String::new();
    if *diagnosis != Diagnosis::default() {
        out.push_str(&format!("{}\n", terminal.bold("Your diagnosis")));
        let said = [
            ("layer", assessment.layer, diagnosis.layer.map(|layer| layer.to_string())),
            ("hop", assessment.hop, diagnosis.hop.clone()),
            ("packet", assessment.packet, diagnosis.packet.as_ref().map(PacketAt::to_string)),
        ];
        for (part, mark, said) in said {
            let line = format!("{:<6} {:<12}{}", part, said.unwrap_or_else(|| "nothing".to_owned()), hint(part, mark));
            out.push_str(&format!("{} {}\n", word(mark, terminal), line.trim_end()));
        }
    }
    if reveal || assessment.is_right() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&answer(lab, fault, evidence, terminal));
    }
    Ok((assessment, out))
}

fn word(mark: Mark, terminal: Terminal) -> String {
    match mark {
        Mark::Right => terminal.green("RIGHT "),
        Mark::Partly => terminal.yellow("PARTLY"),
        Mark::Wrong => terminal.yellow("WRONG "),
        Mark::Unsaid => "  -   ".to_owned(),
    }
}

/// What a mark in between means.
fn hint(part: &str, mark: Mark) -> &'static str {
    match (mark, part) {
        (Mark::Partly, "layer") => "it shows there, but that is not where it comes from",
        (Mark::Partly, "hop") => "close: it shows there, or it is next to it",
        (Mark::Partly, _) => "the right conversation, another packet of it",
        (Mark::Right | Mark::Wrong | Mark::Unsaid, _) => "",
    }
}

/// What would have been right, and why.
fn answer(lab: &Definition, fault: &Fault, evidence: &Evidence<'_>, terminal: Terminal) -> String {
    let style = terminal.style(false);
    let mut out = format!("{} {}\n", terminal.bold("The answer"), fault.name);
    out.push_str(&format!("  layer   {}\n  hop     {}\n", fault.layer, fault.hops.join(" or ")));
    out.push_str(&report::paragraph(&format!("packets {}", packets(lab, &shown(fault, evidence))), 2, &style));
    if let Some(check) = lab.checks.iter().find(|check| check.id == fault.turns_red) {
        out.push_str(&report::paragraph(&format!("check   {} — {}", check.id, check.that), 2, &style));
    }
    out.push_str(&report::paragraph(&fault.explains, 2, &style));
    out
}

/// `client:12, client:14; dc:3`, the first of each node.
pub(in crate::cli) fn packets(lab: &Definition, shown: &[Mention]) -> String {
    let mut of_nodes: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
    for mention in shown {
        of_nodes.entry(mention.node).or_default().push(mention.number);
    }
    let told = of_nodes.into_iter().map(|(node, mut numbers)| {
        numbers.sort_unstable();
        numbers.dedup();
        let name = lab.nodes.get(usize::from(node.0)).map_or("", |node| node.name.as_str());
        let named = numbers.iter().take(PACKETS_NAMED).map(|number| format!("{name}:{number}"));
        let more = numbers.len().saturating_sub(PACKETS_NAMED);
        let more = (more > 0).then(|| format!("{more} more of {name}"));
        named.chain(more).collect::<Vec<_>>().join(", ")
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Terminal = Terminal { is_terminal: false, colour: false, width: 80, unicode: true };

    fn asked(typed: &str) -> (Option<Diagnosis>, String) {
        let lab = crate::lab::Catalogue::built_in().find("99").expect("there is a capstone");
        let mut out = Vec::new();
        let said = ask(&lab, &mut typed.as_bytes(), &mut out, PLAIN).expect("a text can be read");
        (said, String::from_utf8(out).expect("it is text"))
    }

    #[test]
    fn what_is_no_answer_is_asked_for_once_more() {
        let (said, told) = asked("tpc\nTCP\ndc\nbalancer:12\n");
        let packet = Some(PacketAt { node: Some("balancer".to_owned()), number: 12 });
        assert_eq!(said, Some(Diagnosis { layer: Some(Layer::Tcp), hop: Some("dc".to_owned()), packet }));
        assert!(told.contains("`tpc` is no layer; the layers are link, ip, tcp, dns, tls, http, database"), "{told}");
    }

    #[test]
    fn whoever_says_nothing_is_not_judged() {
        assert_eq!(asked("\n\n\n").0, None);
        assert_eq!(asked("").0, None);
        assert_eq!(asked("x\ny\ndc\n0\n0\n").0.and_then(|said| said.hop), Some("dc".to_owned()));
    }
}
