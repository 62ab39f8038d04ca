//! A block of shell commands, cut into simple commands and their words. Only what needs no running is understood:
//! quotes, backslashes, comments, `;`, `&&`, `||`, `|`, and output into a file. `${PPID}` stays as it is written, any other
//! `$`, a backquote, `<`, `*`, `&` or a bracket makes the whole block beyond understanding.

/// How a command and the next one are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// By a newline, `;` or `&&`, or it is the last: a command that fails ends a script anyhow.
    Next,
    /// By `|`.
    Pipe,
    /// By `||`.
    Otherwise,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Simple {
    /// Without quotes; at least one.
    pub(super) words: Vec<String>,
    /// The file that the output goes to, unless that is `/dev/null`.
    pub(super) output: Option<String>,
    /// What joins it to the next.
    pub(super) link: Link,
    /// As written, on one line, with what joins it to the next.
    pub(super) text: String,
}

/// A piece of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Word(String),
    /// `>`, `2>`, `&>`: into the file that follows.
    Into,
    /// `2>&1`
    Merge,
    End(Link),
}

/// The commands of a block, or `None` when it cannot be understood.
pub(super) fn commands(block: &str) -> Option<Vec<Simple>> {
    let mut commands = Vec::new();
    let mut rest = block;
    while !rest.is_empty() {
        let (command, after) = command(rest)?;
        commands.extend(command);
        rest = after;
    }
    Some(commands)
}

/// The first command of `text`, if it is more than nothing, and what follows it; `None` when it is not understood.
fn command(text: &str) -> Option<(Option<Simple>, &str)> {
    let (mut words, mut output, mut rest) = (Vec::new(), None, text);
    let link = loop {
        let (piece, after) = piece(rest)?;
        rest = after;
        match piece {
            Piece::Word(word) => words.push(word),
            Piece::Merge => {}
            Piece::Into => match self::piece(rest)? {
                (Piece::Word(file), after) => {
                    rest = after;
                    output = output.or(Some(file).filter(|file| file != "/dev/null"));
                }
                (Piece::Into | Piece::Merge | Piece::End(_), _) => return None,
            },
            Piece::End(link) => break link,
        }
    };
    if words.is_empty() {
        // Nothing before a newline is nothing; nothing before a pipe is a mistake.
        return (output.is_none() && link == Link::Next).then_some((None, rest));
    }
    let written = super::one_line(text.get(..text.len() - rest.len())?);
    let text = written.trim_end_matches(';').trim_end().to_owned();
    Some((Some(Simple { words, output, link, text }), rest))
}

/// The next piece of `text` and what follows it.
fn piece(text: &str) -> Option<(Piece, &str)> {
    const MARKS: [(&str, Piece); 9] = [
        ("2>&1", Piece::Merge),
        ("2>", Piece::Into),
        ("&>", Piece::Into),
        (">", Piece::Into),
        ("||", Piece::End(Link::Otherwise)),
        ("|", Piece::End(Link::Pipe)),
        ("&&", Piece::End(Link::Next)),
        (";", Piece::End(Link::Next)),
        ("\n", Piece::End(Link::Next)),
    ];
    let mut text = text;
    loop {
        text = text.trim_start_matches([' ', '\t', '\r']);
        if let Some(rest) = text.strip_prefix("\\\n") {
            text = rest;
        } else if text.starts_with('#') {
            text = text.find('\n').and_then(|end| text.get(end..)).unwrap_or_default();
        } else {
            break;
        }
    }
    if text.is_empty() {
        return Some((Piece::End(Link::Next), text));
    }
    for (mark, piece) in MARKS {
        if let Some(rest) = text.strip_prefix(mark) {
            // A line may end behind what joins two commands.
            let is_joint = matches!(piece, Piece::End(Link::Pipe | Link::Otherwise)) || mark == "&&";
            return Some((piece, if is_joint { rest.trim_start_matches([' ', '\t', '\r', '\n', '\\']) } else { rest }));
        }
    }
    word(text)
}

/// A word without its quotes, and what follows it.
fn word(text: &str) -> Option<(Piece, &str)> {
    let mut word = String::new();
    let mut characters = text.char_indices();
    let mut quote = None;
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (Some('\''), _) => word.push(character),
            (_, '\\') => match characters.next() {
                Some((_, '\n')) => {}
                Some((_, guarded)) => word.push(guarded),
                None => return None,
            },
            (_, '$') => {
                let rest = text.get(at..)?;
                if !rest.starts_with("${PPID}") {
                    return None;
                }
                word.push_str("${PPID}");
                characters.nth("{PPID}".len() - 1);
            }
            (_, '`') => return None,
            (Some(_), _) => word.push(character),
            (None, ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '>') => {
                return (at > 0).then_some((Piece::Word(word), text.get(at..)?));
            }
            (None, '<' | '*' | '?' | '(' | ')' | '{' | '}') => return None,
            (None, _) => word.push(character),
        }
    }
    quote.is_none().then_some((Piece::Word(word), ""))
}
