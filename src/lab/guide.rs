//! Guides: pages whose numbers come from the run.
//!
//! Whatever a guide says in figures is written between two remarks that no reader sees, and the first says where it comes
//! from:
//!
//! ```text
//!   Packet <!--= packet resend-1 -->23<!--=--> was sent again.
//!   That took <!--= gap lose-it resend-1 -->296 ms<!--=-->.
//!
//!   <!--= run 20 --mode sim | packets 12-13, 22-23 -->
//!   (a fenced block, whose text is a piece of what the command prints)
//! ```
//!
//! What lives here: the remarks, taking them out, and writing anew what stands between them. What does not: running
//! commands (the caller hands in what does) and showing pages (`report`).

use std::collections::HashMap;

use super::definition::closest;
use super::diagnosis;
use super::{Definition, Finished, Mode, Options, Wanted, run};
use crate::check::{self, Amount, Measure, Mention, Selection, Sight};
use crate::journal::NodeId;
use crate::report;

const OPEN: &str = "<!--=";
const CLOSE: &str = "-->";
const END: &str = "<!--=-->";

/// What is wrong with a guide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct GuideError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected.
    pub message: String,
}

/// Runs a command line of wireglass (`run 20 --mode sim`) and returns what it prints; an error says why it failed.
pub type Shell<'s> = &'s mut dyn FnMut(&str) -> Result<String, String>;

/// The page as readers get it: without the remarks.
pub fn strip(guide: &str) -> String {
    let mut out = String::with_capacity(guide.len());
    let mut fence = Fence::default();
    for line in guide.lines() {
        if fence.is_inside(line) {
            out.push_str(line);
        } else if is_block(line) {
            continue;
        } else {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once(OPEN) {
                out.push_str(before);
                rest = after.split_once(CLOSE).map_or("", |(_, after)| after);
            }
            out.push_str(rest);
        }
        out.push('\n');
    }
    out
}

/// The commands that a guide prints: lines `$ wireglass …` of its fenced blocks, with their line numbers.
pub fn commands(guide: &str) -> Vec<(usize, String)> {
    let mut fence = Fence::default();
    let inside = (1..).zip(guide.lines()).filter(|(_, line)| fence.is_inside(line));
    inside
        .filter_map(|(number, line)| {
            let command = line.trim().strip_prefix("$ wireglass ")?;
            // What stands behind a pipe, or is said about it, is not ours.
            let command = command.split(" | ").next()?.split(" #").next()?;
            Some((number, command.trim().to_owned()))
        })
        .collect()
}

/// The guide with everything between its remarks made anew, by simulating `lab` and by calling `shell`.
///
/// # Errors
/// Everything that is wrong with the remarks.
pub fn renew(guide: &str, lab: &Definition, shell: Shell<'_>) -> Result<String, Vec<GuideError>> {
    let mut runs = Runs { lab, made: HashMap::new() };
    let (mut out, mut errors) = (String::with_capacity(guide.len()), Vec::new());
    let mut fence = Fence::default();
    let mut lines = (1..).zip(guide.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        let made = if fence.is_inside(line) {
            Ok(line.to_owned())
        } else if is_block(line) {
            let opening = lines.next_if(|(_, next)| next.trim_start().starts_with("```"));
            let mut closing = None;
            if opening.is_some() {
                closing = lines.by_ref().find(|(_, next)| next.trim_start().starts_with("```"));
            }
            match (opening, closing) {
                (Some((_, opening)), Some((_, closing))) => {
                    block(line, shell).map(|text| format!("{line}\n{opening}\n{text}{closing}"))
                }
                _ => Err("behind this remark begins a fenced block, on the next line".to_owned()),
            }
        } else {
            values(line, &mut runs)
        };
        match made {
            Ok(text) => out.push_str(&text),
            Err(message) => errors.push(GuideError { line: number, message }),
        }
        out.push('\n');
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Whether a line lies in a fenced block, whose fences count.
#[derive(Default)]
struct Fence {
    is_open: bool,
}

impl Fence {
    fn is_inside(&mut self, line: &str) -> bool {
        let is_fence = line.trim_start().starts_with("```");
        self.is_open ^= is_fence;
        self.is_open || is_fence
    }
}

/// Whether the line is a remark and nothing else, and so about the block below it.
fn is_block(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(OPEN) && line != END && line.find(CLOSE).is_some_and(|at| at + CLOSE.len() == line.len())
}

/// What a command prints, or the piece of it that is asked for.
fn block(line: &str, shell: Shell<'_>) -> Result<String, String> {
    let said = line.trim().trim_start_matches(OPEN).trim_end_matches(CLOSE).trim();
    let (command, piece) =
        said.split_once(" | ").map_or((said, "lines 1-"), |(command, piece)| (command, piece.trim()));
    let printed = shell(command.trim())?;
    let text = match piece.split_once(' ') {
        Some(("lines", ranges)) => chosen_lines(&printed, &read_ranges(ranges)?),
        Some(("packets", ranges)) => chosen_packets(&printed, &read_ranges(ranges)?),
        Some(("section", heading)) => section(&printed, heading),
        Some(_) | None => return Err(format!("`{piece}` is not `lines 1-9`, `packets 1-4, 7` or `section Checks`")),
    };
    if text.is_empty() { Err(format!("`{command}` prints nothing at `{piece}`")) } else { Ok(text) }
}

/// `1-4, 7, 9-` as pairs of bounds.
fn read_ranges(text: &str) -> Result<Vec<(u64, u64)>, String> {
    let one = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let to = if to.is_empty() { Ok(u64::MAX) } else { to.trim().parse() };
        from.trim().parse().ok().zip(to.ok()).ok_or_else(|| format!("`{text}` is no range such as 1-4"))
    };
    text.split(',').map(str::trim).map(one).collect()
}

fn is_within(ranges: &[(u64, u64)], number: u64) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&number))
}

fn chosen_lines(printed: &str, ranges: &[(u64, u64)]) -> String {
    let lines = (1..).zip(printed.lines()).filter(|(number, _)| is_within(ranges, *number));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

/// The rows of a ladder with these packet numbers, each with the lines that continue it; a gap is marked.
fn chosen_packets(printed: &str, ranges: &[(u64, u64)]) -> String {
    let (mut out, mut is_chosen, mut has_gap) = (String::new(), false, false);
    for line in printed.lines() {
        let mut words = line.split_whitespace();
        let number = words.next().and_then(|word| word.parse::<u64>().ok());
        let number = number.filter(|_| words.next().is_some_and(|time| time.contains('.')));
        if let Some(number) = number {
            is_chosen = is_within(ranges, number);
            has_gap |= !is_chosen;
            if is_chosen && has_gap && !out.is_empty() {
                out.push_str(" …\n");
            }
            has_gap &= !is_chosen;
        } else if !line.starts_with("      ") {
            is_chosen = false;
        }
        if is_chosen {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// From the line that begins with `heading` to the next empty one.
fn section(printed: &str, heading: &str) -> String {
    let lines = printed.lines().skip_while(|line| !line.starts_with(heading)).take_while(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// A line with its values made anew.
fn values(line: &str, runs: &mut Runs<'_>) -> Result<String, String> {
    // Markdown would take the whole line for HTML.
    let text =
        line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '*' | '>' | ' '));
    if text.starts_with(OPEN) {
        return Err("a line of text cannot begin with a remark; put a word before it".to_owned());
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((said, behind)) = after.split_once(CLOSE) else {
            return Err(format!("a remark ends with `{CLOSE}` on the same line"));
        };
        let Some((_, behind)) = behind.split_once(END) else {
            return Err(format!("behind a value stands `{END}`, on the same line"));
        };
        out.push_str(&format!("{before}{OPEN}{said}{CLOSE}{}{END}", runs.value(said)?));
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// The lab's simulations that values have asked for.
struct Runs<'l> {
    lab: &'l Definition,
    /// By break and seed.
    made: HashMap<(Option<String>, Option<u64>), (Definition, Finished)>,
}

/// What stands in a remark, read.
#[derive(Default)]
struct Wish {
    words: Vec<String>,
    variant: Option<String>,
    seed: Option<u64>,
    at: Option<String>,
    in_words: bool,
}

impl Wish {
    fn read(said: &str) -> Result<Wish, String> {
        let mut wish = Wish::default();
        for word in split(said)? {
            match word.split_once('=') {
                Some(("break", name)) => wish.variant = Some(name.to_owned()),
                Some(("seed", seed)) => {
                    wish.seed = Some(seed.parse().map_err(|_| format!("`{word}`: a seed is a number"))?);
                }
                Some(("at", node)) => wish.at = Some(node.to_owned()),
                Some(_) | None if word == "words" => wish.in_words = true,
                Some(_) | None => wish.words.push(word),
            }
        }
        Ok(wish)
    }
}

/// Words, of which those in quotes may have blanks.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is not closed".to_owned()) } else { Ok(words) }
}

const KINDS: &str = "`packet SELECTION`, `packets SELECTION`, `count SELECTION`, `bytes SELECTION` (payload), \
                     `octets SELECTION` (on the wire), `headers SELECTION`, `header-share SELECTION`, `time SELECTION`, \
                     `gap SELECTION SELECTION`, `field SELECTION NAME`, `answer NUMBER`, `shown`, `checks` or `red`";

impl Runs<'_> {
    fn value(&mut self, said: &str) -> Result<String, String> {
        let wish = Wish::read(said)?;
        let (lab, finished) = self.run(&wish)?;
        let evidence = finished.evidence(lab);
        let at = match &wish.at {
            None => NodeId(0),
            Some(name) => lab.node(name).ok_or_else(|| format!("the lab has no node `{name}`"))?,
        };
        let chosen = |name: &str| selection(lab, name);
        let all = |name: &str| check::sights(&chosen(name)?, at, &evidence);
        let one = |name: &str| all(name)?.into_iter().next().ok_or_else(|| format!("nothing matches `{name}`"));
        let measured = |measure: Measure| check::answer(&measure, at, &evidence).map(|answer| answer.amount);
        let words: Vec<&str> = wish.words.iter().map(String::as_str).collect();
        let number = |number: u64| if wish.in_words { in_words(number) } else { report::grouped(number) };
        match words.as_slice() {
            ["packet", name] => one(name)?.number().map(|it| it.to_string()).ok_or(format!("`{name}` is no packet")),
            ["packets", name] => Ok(listed(&numbers(&all(name)?)))
                .and_then(|list| if list.is_empty() { Err(format!("nothing matches `{name}`")) } else { Ok(list) }),
            ["count", name] => Ok(number(all(name)?.len() as u64)),
            ["bytes", name] => Ok(number(all(name)?.iter().map(Sight::bytes).sum())),
            ["octets", name] => Ok(number(all(name)?.iter().map(Sight::octets).sum())),
            ["headers", name] => Ok(number(Share::of_headers(&all(name)?).part)),
            ["header-share", name] => {
                Share::of_headers(&all(name)?).percent().ok_or(format!("nothing matches `{name}`"))
            }
            ["time", name] => Ok(report::span(one(name)?.at())),
            ["gap", from, to] => measured(Measure::Gap(chosen(from)?, chosen(to)?)).map(told),
            ["field", name, field] => one(name)?.field(field).ok_or_else(|| format!("`{name}` has no field `{field}`")),
            ["answer", question] => {
                let asked =
                    question.parse::<usize>().ok().and_then(|number| lab.predictions.get(number.checked_sub(1)?));
                let asked = asked.ok_or_else(|| format!("the lab has no question {question}"))?;
                check::answer(&asked.answer, asked.at, &evidence).map(|answer| told(answer.amount))
            }
            ["shown"] => {
                let fault = lab.hidden_fault().ok_or("this run hides no fault; name another with `seed=N`")?;
                first_of_each(lab, &diagnosis::shown(fault, &evidence)).ok_or("no packet shows it".to_owned())
            }
            ["checks"] => Ok(number(finished.verdicts.len() as u64)),
            ["red"] => Ok(number(finished.verdicts.iter().filter(|verdict| verdict.is_fail()).count() as u64)),
            _ => Err(format!("`{}` is none of {KINDS}", said.trim())),
        }
    }

    fn run(&mut self, wish: &Wish) -> Result<(&Definition, &Finished), String> {
        let key = (wish.variant.clone(), wish.seed);
        if !self.made.contains_key(&key) {
            let lab = match &wish.variant {
                Some(name) => self.lab.with_break(name).map_err(|error| error.to_string())?,
                None => diagnosis::with_seed(self.lab, wish.seed).map_err(|error| error.to_string())?,
            };
            let options = Options { wanted: Wanted::Only(Mode::Sim), seed: wish.seed, ..Options::default() };
            let finished = run(&lab, &options).map_err(|error| error.to_string())?;
            self.made.insert(key.clone(), (lab, finished));
        }
        self.made.get(&key).map(|(lab, finished)| (lab, finished)).ok_or_else(|| "the run is gone".to_owned())
    }
}

/// The first packet at each node, as it is said of a fault: `resolver:7 or client:2`.
fn first_of_each(lab: &Definition, shown: &[Mention]) -> Option<String> {
    let mut firsts: Vec<&Mention> = Vec::new();
    for mention in shown {
        if !firsts.iter().any(|first| first.node == mention.node) {
            firsts.push(mention);
        }
    }
    let name = |node: NodeId| lab.nodes.get(usize::from(node.0)).map_or("", |node| node.name.as_str());
    let told: Vec<String> = firsts.iter().map(|first| format!("{}:{}", name(first.node), first.number)).collect();
    (!told.is_empty()).then(|| told.join(" or "))
}

/// A part of a whole, both in octets.
struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    /// What of these packets is not payload.
    fn of_headers(sights: &[Sight<'_, '_>]) -> Share {
        let whole = sights.iter().map(Sight::octets).sum();
        let payload: u64 = sights.iter().map(Sight::bytes).sum();
        Share { part: u64::saturating_sub(whole, payload), whole }
    }

    /// `33 %`, rounded; `None` of nothing.
    fn percent(&self) -> Option<String> {
        let percent = (self.part * 100 + self.whole / 2).checked_div(self.whole)?;
        Some(format!("{percent} %"))
    }
}

fn selection(lab: &Definition, name: &str) -> Result<Selection, String> {
    lab.selection(name).ok_or_else(|| {
        let known: Vec<&str> = lab.selections.keys().map(String::as_str).collect();
        let near = closest(name, known.iter().copied()).first().map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        format!("`{name}` is no selection, no rule and no filter; the lab selects {}{near}", known.join(", "))
    })
}

fn numbers(sights: &[Sight<'_, '_>]) -> Vec<u64> {
    let mut numbers: Vec<u64> = sights.iter().filter_map(Sight::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// `3`, `3 and 4`, `14 to 22`, `3, 5 and 8`.
fn listed(numbers: &[u64]) -> String {
    match numbers {
        [first, .., last] if numbers.len() > 2 && last - first + 1 == numbers.len() as u64 => {
            format!("{first} to {last}")
        }
        [but_last @ .., last] if !but_last.is_empty() => {
            let all: Vec<String> = but_last.iter().map(u64::to_string).collect();
            format!("{} and {last}", all.join(", "))
        }
        [only] => only.to_string(),
        _ => String::new(),
    }
}

fn told(amount: Amount) -> String {
    match amount {
        Amount::Count(number) | Amount::Octets(number) => report::grouped(number),
        Amount::Time(span) => report::span(span),
    }
}

/// Small numbers as words.
fn in_words(number: u64) -> String {
    let words =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let word = usize::try_from(number).ok().and_then(|number| words.get(number));
    word.map_or_else(|| report::grouped(number), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lab() -> Definition {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/2-tcp-recovery/20-rto-backoff");
        Definition::load(&folder).expect("it is there")
    }

    fn renewed(text: &str) -> Result<String, Vec<GuideError>> {
        renew(text, &lab(), &mut |command| match command {
            "list" => Ok("one\ntwo\nthree\n\nChecks\nPASS\n\nend\n".to_owned()),
            "run" => Ok("no time\n 1  0.0  a\n           more\n 2  0.1  b\n10  0.2  c\nend 1.0\n".to_owned()),
            other => Err(format!("no command `{other}`")),
        })
    }

    #[test]
    fn values_come_from_the_run_and_from_its_breaks() {
        let guide =
            "Packet <!--= packet resend-1 -->?<!--=-->, and <!--= packets resends break=three-in-a-row -->?<!--=-->.
It took <!--= gap lose-it resend-1 -->?<!--=-->: <!--= count data words -->?<!--=--> segments, \
             <!--= bytes resends -->?<!--=--> octets of <!--= octets resends -->?<!--=-->, \
             <!--= headers data -->?<!--=--> or <!--= header-share data -->?<!--=--> headers, ack <!--= field last-ack tcp.ack -->?<!--=-->, \
             <!--= red break=lose-the-third words -->?<!--=--> red of <!--= checks -->?<!--=-->, \
             <!--= count \"tcp.flags.syn == 1\" -->?<!--=--> SYNs, at <!--= time resend-1 -->?<!--=-->, \
             <!--= answer 1 -->?<!--=-->.
";
        let expected = "Packet 23, and 23 to 25.
It took 296 ms: eleven segments, 1,448 octets of 1,500, 572 or 3 % headers, ack 13033, three red of 12, 2 SYNs, at 336 ms, 11.
";
        let made = renewed(guide).expect("all of it can be had");
        assert_eq!(strip(&made), expected);
        assert_eq!(renewed(&made).expect("all of it can be had"), made, "what is true stays");
    }

    #[test]
    fn blocks_are_pieces_of_what_commands_print() {
        let block = |said: &str| {
            let guide = format!("<!--= {said} -->\n```text\nold\n```\n");
            strip(&renewed(&guide).expect("all of it can be had"))
        };
        assert_eq!(block("list | lines 2-3"), "```text\ntwo\nthree\n```\n");
        assert_eq!(block("list | section Checks"), "```text\nChecks\nPASS\n```\n");
        assert_eq!(block("run | packets 1, 10"), "```text\n 1  0.0  a\n           more\n …\n10  0.2  c\n```\n");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let table = [
            ("a <!--= packet nothing-such -->1<!--=-->", "`nothing-such` is no selection, no rule and no filter"),
            ("a <!--= packet resend-2 -->1<!--=-->", "nothing matches `resend-2`"),
            ("a <!--= pocket data -->1<!--=-->", "`pocket data` is none of `packet SELECTION`"),
            ("a <!--= packet data -->1", "behind a value stands `<!--=-->`"),
            ("a <!--= packet data", "a remark ends with `-->`"),
            ("1. <!--= packet data -->1<!--=--> x", "a line of text cannot begin with a remark"),
            ("a <!--= packet data break=none -->1<!--=-->", "has no break `none`"),
            ("a <!--= answer 9 -->1<!--=-->", "the lab has no question 9"),
            ("<!--= list | lines 1-2 -->\ntext", "behind this remark begins a fenced block"),
            ("<!--= fly | lines 1-2 -->\n```\n```", "no command `fly`"),
            ("<!--= list | words 1-2 -->\n```\n```", "`words 1-2` is not `lines 1-9`"),
            ("<!--= list | lines 90-91 -->\n```\n```", "prints nothing at `lines 90-91`"),
        ];
        for (wrong, message) in table {
            let errors = renewed(&format!("first\n{wrong}\n")).expect_err(wrong);
            let told = errors[0].to_string();
            assert!(told.starts_with("line 2: ") && told.contains(message), "{wrong}: {told}");
        }
    }

    #[test]
    fn fenced_blocks_keep_what_looks_like_a_remark_and_name_the_commands() {
        let guide = "```console\n$ wireglass run 20 --json | jq .\n<!--= packet data -->\n```\n$ wireglass list\n";
        assert_eq!(strip(guide), guide);
        assert_eq!(renewed(guide).as_deref(), Ok(guide));
        assert_eq!(commands(guide), [(2, "run 20 --json".to_owned())]);
    }
}
