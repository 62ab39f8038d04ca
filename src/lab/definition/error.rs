//! What is wrong with a lab file, and where.

use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;

/// Why a lab cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The file says something that cannot be meant.
    #[error("{place}: {message}")]
    Wrong {
        /// Where.
        place: Place,
        /// The field, what was expected, and the closest name when one is not known.
        message: String,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}{}", path.display(), advice(error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// There is no lab of this name.
    #[error("there is no lab `{name}`{}; `wireglass list` shows all of them", closest_clause(closest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that look alike, best first.
        closest: Vec<String>,
    },
    /// It is the name of more than one lab.
    #[error("`{name}` {}; name one of them", known_clause(what, labs))]
    Several {
        /// What was asked for.
        name: String,
        /// What it is instead: `is a theme; its labs are`.
        what: &'static str,
        /// The labs.
        labs: Vec<String>,
    },
    /// There is no course of this name.
    #[error("there is no track `{name}`; {}", known_clause("there are", known))]
    UnknownTrack {
        /// What was asked for.
        name: String,
        /// The courses that there are.
        known: Vec<String>,
    },
    /// The lab has no break of this name.
    #[error("lab {lab} has no break `{name}`; {}", known_clause("it has", known))]
    UnknownBreak {
        /// The lab's id.
        lab: String,
        /// What was asked for.
        name: String,
        /// The breaks that it has.
        known: Vec<String>,
    },
}

/// What to do about a file that cannot be read.
fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "; `wireglass new NAME` makes a lab to begin with",
        ErrorKind::PermissionDenied => "; `chmod +r` lets you read it",
        ErrorKind::IsADirectory => "; a lab is a folder with a file `lab.toml` in it",
        _ => "",
    }
}

/// A place in a lab file, as editors and compilers write it: `lab.toml:12:9`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something wrong at a range of octets of the text.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where it begins, in octets.
    pub(super) at: usize,
    /// What was expected.
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Fault {
        Fault { at: span.start, message: message.into() }
    }

    /// What `toml` found wrong with `text`: the field, and the closest name when a name is not known.
    pub(super) fn of_toml(error: &toml::de::Error, text: &str) -> Fault {
        let message = one_line(error.message());
        let at = error.span().map_or(0, |span| span.start);
        let message = match field_before(text, at).filter(|_| is_about_a_value(&message)) {
            None => with_example(with_closest(in_plain_words(message))),
            Some(field) => about_field(field, message),
        };
        Fault { at, message }
    }

    /// The fault with its line and column in `text`.
    pub(super) fn in_file(self, file: &str, text: &str) -> LabError {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        // What it quotes is a stranger's, and goes to a terminal.
        let message = self.message.chars().map(|char| if is_unseen(char) { '\u{fffd}' } else { char }).collect();
        LabError::Wrong { place: Place { file: file.to_owned(), line, column }, message }
    }
}

/// Whether a terminal would obey the character, or hide or reverse text because of it, instead of showing it.
pub(super) fn is_unseen(char: char) -> bool {
    char.is_control() || matches!(u32::from(char), 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
}

/// Whether the error is about what stands behind a key, and not about the key.
fn is_about_a_value(message: &str) -> bool {
    !["unknown ", "missing ", "duplicate "].iter().any(|start| message.starts_with(start))
}

/// The key whose value, or whose list of values, has something at `at`; `None` when there is none before it.
fn field_before(text: &str, at: usize) -> Option<&str> {
    let mut before = text.get(..at)?.trim_end();
    if !before.ends_with('=') {
        // Within a list, its key stands before the bracket that is still open.
        let mut closed = 0;
        let open = before.rfind(|char| match char {
            ']' => {
                closed += 1;
                false
            }
            '[' if closed > 0 => {
                closed -= 1;
                false
            }
            other => other == '[',
        })?;
        before = before.get(..open)?.trim_end();
    }
    let before = before.strip_suffix('=')?.trim_end();
    let is_quote = |char: char| matches!(char, '"' | '\'');
    let key = match before.strip_suffix(is_quote) {
        Some(quoted) => quoted.rsplit(is_quote).next(),
        None => before.rsplit(|char: char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '_' | '.')).next(),
    };
    key.filter(|key| !key.is_empty() && !key.contains('\n'))
}

/// A complaint about the value of `field`.
fn about_field(field: &str, message: String) -> String {
    if !message.starts_with("wanted exactly 1 element") {
        return format!("`{field}`: {}", in_plain_words(message));
    }
    let one_of = match field {
        "do" => "`drop`, `duplicate`, `corrupt`, `delay`, `hold`, `strip-option` and `bleach-ecn`",
        "falsified_by" => "`break`, `fault`, `rule` and `set`",
        "answer" | "of" | "to" => "`count`, `bytes`, `octets` and `gap`",
        "run" => return "`run` is one program; give the other a [[step]] of its own".to_owned(),
        _ => "the things that it can be",
    };
    format!("`{field}` is one of {one_of} at a time")
}

/// The parser explains in several lines; an error of ours is one.
pub(super) fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// serde names Rust's types; a lab's author knows numbers.
fn in_plain_words(message: String) -> String {
    if message == "wanted string or table" {
        return "expected a name in quotes, or a table".to_owned();
    }
    if message == "invalid type: unit variant, expected newtype variant" {
        return "a name alone says too little; expected a table such as { sink = { port = 9000 } }".to_owned();
    }
    let message = message.replace("` as i128", "`").replace("` as u128", "`");
    let Some((before, kind)) = message.rsplit_once("expected ") else { return message };
    match kind {
        "u8" => format!("{before}expected a whole number from 0 to 255"),
        "u16" => format!("{before}expected a whole number from 0 to 65535"),
        "u32" if before.contains("integer `") && !before.contains("`-") => {
            format!("{before}expected a whole number from 0 to 4294967295")
        }
        "u32" | "u64" | "usize" => format!("{before}expected a whole number, 0 or more"),
        "i64" => format!("{before}expected a whole number"),
        "a boolean" => format!("{before}expected `true` or `false`, without quotes"),
        "a sequence" => format!("{before}expected a list in brackets, such as [\"one\", \"two\"]"),
        "a string" => format!("{before}expected a text in quotes"),
        "an array of length 2" => format!("{before}expected a list of two"),
        _ if kind.starts_with("struct ") => format!("{before}expected a table"),
        "a nonzero u16" => format!("{before}expected a whole number from 1 to 65535"),
        _ => message,
    }
}

/// The most names that an error lists where it knows which was meant: a list of all programs helps nobody then.
const MOST_LISTED: usize = 24;

/// serde says "unknown field `x`, expected one of `a`, `b`"; this adds which of them was probably meant.
fn with_closest(message: String) -> String {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return message;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(found) = quoted.next() else { return message };
    let known: Vec<&str> = quoted.collect();
    let suggestion = did_you_mean(found, known.iter().copied());
    if known.len() > MOST_LISTED && !suggestion.is_empty() {
        let (said, _) = message.split_once(", expected").unwrap_or((&message, ""));
        return format!("{said}{suggestion}");
    }
    format!("{}{suggestion}", message.replacen(", expected", "; expected", 1))
}

/// serde says "missing field `run`"; this adds what to write.
fn with_example(message: String) -> String {
    let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) else {
        return message;
    };
    let example = EXAMPLES.iter().find(|(name, _)| *name == field);
    example.map_or_else(|| format!("{message}; add it"), |(_, value)| format!("{message}; add `{field} = {value}`"))
}

/// What stands behind the fields that tables must have.
const EXAMPLES: [(&str, &str); 31] = [
    ("answer", "{ count = \"tcp.flags.syn == 1\" }"),
    ("ask", "\"How many SYNs are there?\""),
    ("between", "[\"client\", \"server\"]"),
    ("body", "\"Hello\""),
    ("bytes", "\"16KB\""),
    ("count", "50"),
    ("do", "\"drop\""),
    ("every", "\"20ms\""),
    ("from", "\"client\""),
    ("id", "\"100-my-lab\""),
    ("live", "\"stack\""),
    ("member", "\"tcp.seq\""),
    ("minutes", "20"),
    ("name", "\"nothing-lost\""),
    ("of", "\"tcp.len > 0\""),
    ("on", "\"client\""),
    ("outside", "\"server\""),
    ("over", "\"udp\""),
    ("port", "9000"),
    ("protocol", "\"tcp\""),
    ("run", "{ sink = { port = 9000 } }"),
    ("seed", "1"),
    ("set", "{ \"link.client-server.loss\" = \"10%\" }"),
    ("size", "\"100B\""),
    ("summary", "\"One sentence.\""),
    ("teaches", "\"A sentence.\""),
    ("that", "\"The claim as a sentence\""),
    ("title", "\"A few words\""),
    ("to", "\"server:9000\""),
    ("turns_red", "\"ID-OF-A-CHECK\""),
    ("when", "\"tcp.len > 0\""),
];

/// What other tools call it, and what it is called here.
const ALIASES: [(&str, &str); 8] = [
    ("bandwidth", "rate"),
    ("condition", "when"),
    ("latency", "delay"),
    ("node", "on"),
    ("nodes", "between"),
    ("packet_loss", "loss"),
    ("program", "run"),
    ("question", "ask"),
];

/// `; did you mean `delay`?`, or nothing when no name is close.
pub(super) fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let meant = ALIASES.iter().find(|(alias, name)| *alias == found && known.contains(name));
    if let Some((_, name)) = meant {
        return format!("; did you mean `{name}`?");
    }
    closest(found, known).first().map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// A name that is not known, with those that are: `no node `sever`; the lab has `client`, `server`; did you mean…`.
pub(super) fn unknown(what: &str, found: &str, has: &str, known: &[&str]) -> String {
    let listed = known_clause(has, known);
    format!("unknown {what} `{found}`; {listed}{}", did_you_mean(found, known.iter().copied()))
}

fn known_clause(has: &str, known: &[impl AsRef<str>]) -> String {
    if known.is_empty() {
        return format!("{has} none");
    }
    let quoted: Vec<String> = known.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    format!("{has} {}", quoted.join(", "))
}

fn closest_clause(closest: &[String]) -> String {
    match closest {
        [] => String::new(),
        names => {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!(" (did you mean {}?)", quoted.join(" or "))
        }
    }
}

/// How alike two names must be, by Jaro-Winkler, for one to be taken for a slip of the other.
const ALIKE: f64 = 0.75;

/// The names that look like `found`, best first, at most three.
pub(crate) fn closest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let alike = ranked(found, known).into_iter().take_while(|(likeness, _)| *likeness >= ALIKE);
    alike.take(3).map(|(_, name)| name).collect()
}

/// All names, those most like `found` first. (A float decides here on words, never on packets.)
pub(crate) fn ranked<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<(f64, &'a str)> {
    let mut ranked: Vec<(f64, &str)> =
        known.into_iter().map(|name| (strsim::jaro_winkler(found, name), name)).collect();
    ranked.sort_by(|(left, a), (right, b)| right.total_cmp(left).then(a.cmp(b)));
    ranked
}
