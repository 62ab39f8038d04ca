//! Rust source as tokens: enough of the language to find paths, modules and functions, and no more.
//!
//! Comments and the insides of literals never become tokens, so that a path in a sentence is not taken for a use.

/// A word or a sign of the source. `::` is one sign, every other sign is one character; a literal is `"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Its text.
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
}

impl Token {
    /// Whether it is an identifier or a keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of `source`, in order.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut scanner = Scanner { chars: source.chars().collect(), at: 0, line: 1, tokens: Vec::new() };
    while scanner.step() {}
    scanner.tokens
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == '\n');
            self.at += 1;
        }
    }

    fn emit(&mut self, text: impl Into<String>, line: usize) {
        self.tokens.push(Token { text: text.into(), line });
    }

    /// Takes in what begins here; `false` at the end.
    fn step(&mut self) -> bool {
        let line = self.line;
        match (self.peek(0), self.peek(1)) {
            ('\0', _) if self.at >= self.chars.len() => return false,
            ('/', '/') => self.skip_while(|c| c != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(line),
            ('\'', _) => self.quote(line),
            (':', ':') => {
                self.advance(2);
                self.emit("::", line);
            }
            (c, _) if c.is_alphabetic() || c == '_' => self.word(line),
            (c, _) if c.is_ascii_digit() => {
                // A number with its suffix; a dot ends it, so that `0..10` is no puzzle.
                self.skip_while(|c| c.is_alphanumeric() || c == '_');
                self.emit("0", line);
            }
            (c, _) => {
                self.advance(1);
                if !c.is_whitespace() {
                    self.emit(c, line);
                }
            }
        }
        true
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && wanted(self.peek(0)) {
            self.advance(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.advance(2);
                }
                ('*', '/') => {
                    depth -= 1;
                    self.advance(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.advance(1),
            }
        }
    }

    /// An identifier, or the prefix of a raw or byte literal.
    fn word(&mut self, line: usize) {
        let start = self.at;
        self.skip_while(|c| c.is_alphanumeric() || c == '_');
        let word: String = self.chars[start..self.at].iter().collect();
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        match self.peek(0) {
            '"' if raw => self.raw_string(line),
            '#' if raw && self.hashes_then_quote() => self.raw_string(line),
            '#' if word == "r" => {
                // r#keyword: the name is what follows.
                self.advance(1);
                self.word(line);
            }
            '"' if matches!(word.as_str(), "b" | "c") => self.string(line),
            '\'' if word == "b" => self.quote(line),
            _ => self.emit(word, line),
        }
    }

    fn hashes_then_quote(&self) -> bool {
        (0..).map(|ahead| self.peek(ahead)).find(|&c| c != '#') == Some('"')
    }

    fn raw_string(&mut self, line: usize) {
        let hashes = (0..).take_while(|&ahead| self.peek(ahead) == '#').count();
        self.advance(hashes + 1);
        while self.at < self.chars.len() {
            let closes = self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#');
            if closes {
                self.advance(hashes + 1);
                break;
            }
            self.advance(1);
        }
        self.emit("\"", line);
    }

    fn string(&mut self, line: usize) {
        self.advance(1);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            self.advance(if self.peek(0) == '\\' { 2 } else { 1 });
        }
        self.advance(1);
        self.emit("\"", line);
    }

    /// A character literal, or a lifetime, which yields nothing.
    fn quote(&mut self, line: usize) {
        if self.peek(1) == '\\' {
            self.advance(3);
            self.skip_while(|c| c != '\'');
            self.advance(1);
            self.emit("\"", line);
        } else if self.peek(2) == '\'' {
            self.advance(3);
            self.emit("\"", line);
        } else {
            self.advance(1);
            self.skip_while(|c| c.is_alphanumeric() || c == '_');
        }
    }
}

/// The index of the sign that closes the bracket at `open`; the last token when nothing does.
pub(super) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len().saturating_sub(1)
}

/// `tokens` without the inline modules behind `#[cfg(test)]`, and how many lines those took.
pub(super) fn without_tests(tokens: &[Token]) -> (Vec<Token>, usize) {
    let (mut kept, mut lines, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        match test_module_end(tokens, at) {
            Some(end) => {
                lines += tokens[end].line - tokens[at].line + 1;
                at = end + 1;
            }
            None => {
                kept.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (kept, lines)
}

/// The last token of the test module that begins at `at`, if one does.
fn test_module_end(tokens: &[Token], at: usize) -> Option<usize> {
    let texts = |range: std::ops::Range<usize>| tokens.get(range).into_iter().flatten().map(|t| t.text.as_str());
    if !texts(at..at + 7).eq(["#", "[", "cfg", "(", "test", ")", "]"]) {
        return None;
    }
    let module = at + 7;
    let opens = texts(module..module + 1).eq(["mod"]) && texts(module + 2..module + 3).eq(["{"]);
    opens.then(|| closing(tokens, module + 2))
}

/// A function and the lines it takes, signature included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// The line of its `fn`.
    pub(super) line: usize,
    /// How many lines it takes.
    pub(super) lines: usize,
}

/// The functions that have a body.
pub(super) fn functions(tokens: &[Token]) -> Vec<Function> {
    let starts = tokens.windows(2).enumerate().filter(|(_, pair)| pair[0].text == "fn" && pair[1].is_word());
    starts
        .filter_map(|(at, pair)| {
            let open = body_start(tokens, at)?;
            let lines = tokens[closing(tokens, open)].line - pair[0].line + 1;
            Some(Function { name: pair[1].text.clone(), line: pair[0].line, lines })
        })
        .collect()
}

/// The brace that opens the body of the function at `at`; `None` when a semicolon ends it (a trait's method).
fn body_start(tokens: &[Token], at: usize) -> Option<usize> {
    let mut index = at;
    while index < tokens.len() {
        match tokens[index].text.as_str() {
            "(" | "[" => index = closing(tokens, index),
            "{" => return Some(index),
            ";" => return None,
            _ => {}
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_hide_what_is_in_them() {
        let source =
            "a // crate::x\n/* crate::y /* nested */ still */ b \"crate::z \\\" \" r#\"crate::\"w\"# 'c' '\\'' b'\"' c";
        assert_eq!(texts(source), ["a", "b", "\"", "\"", "\"", "\"", "\"", "c"]);
    }

    #[test]
    fn lifetimes_are_not_the_start_of_a_literal() {
        assert_eq!(texts("fn f<'a>(x: &'a str) {}").join(" "), "fn f < > ( x : & str ) { }");
    }

    #[test]
    fn lines_are_counted_through_comments_and_literals() {
        let last = tokens("/*\n\n*/ \"\n\" last").pop().expect("there are tokens");
        assert_eq!((last.text.as_str(), last.line), ("last", 4));
    }

    #[test]
    fn a_test_module_is_left_out_and_measured() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}";
        let (kept, lines) = without_tests(&tokens(source));
        let names: Vec<_> = functions(&kept).into_iter().map(|function| function.name).collect();
        assert_eq!((names, lines), (vec!["a".to_owned(), "c".to_owned()], 4));
    }

    #[test]
    fn a_function_is_as_long_as_from_its_name_to_its_last_brace() {
        let source = "trait T { fn none(&self) -> [u8; 4]; }\nfn two(f: fn(u8)) -> u8\nwhere u8: Copy {\n  { 1 }\n}\n";
        assert_eq!(functions(&tokens(source)), [Function { name: "two".into(), line: 2, lines: 4 }]);
    }
}
