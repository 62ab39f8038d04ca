//! What a file refers to: every path that begins with `crate`, `super`, `self` or the name of a crate.

use super::source::{Token, closing};

/// A path in the source, resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The module that it stands in, without the crate: `["stack", "smoltcp"]`.
    pub(super) from: Vec<String>,
    /// Where it leads.
    pub(super) to: Target,
    /// Its line.
    pub(super) line: usize,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Into this crate: the path without the crate itself.
    Inside(Vec<String>),
    /// Somewhere else: the first name, which may be a foreign crate or anything in scope.
    Outside(String),
}

/// Every reference in the tokens of the file that is module `module`.
pub(super) fn references(module: &[String], tokens: &[Token]) -> Vec<Reference> {
    let mut reader = Reader { tokens, module: module.to_vec(), inline: Vec::new(), depth: 0, found: Vec::new() };
    let mut at = 0;
    while at < tokens.len() {
        at = reader.read(at);
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token],
    /// The module here, inline modules included.
    module: Vec<String>,
    /// The brace depth inside each open inline module.
    inline: Vec<usize>,
    depth: usize,
    found: Vec<Reference>,
}

impl Reader<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Reads what begins at `at`; returns where to go on.
    fn read(&mut self, at: usize) -> usize {
        match self.text(at) {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.inline.last().is_some_and(|&inside| self.depth < inside) {
                    self.inline.pop();
                    self.module.pop();
                }
            }
            "mod" if self.text(at + 2) == "{" => {
                self.module.push(self.text(at + 1).to_owned());
                self.depth += 1;
                self.inline.push(self.depth);
                return at + 3;
            }
            "use" => return self.tree(at + 1, &[]),
            _ if self.begins_path(at) => return self.plain_path(at),
            _ => {}
        }
        at + 1
    }

    /// Whether a path of more than one name begins here, not one that goes on.
    fn begins_path(&self, at: usize) -> bool {
        let goes_on = at > 0 && self.text(at - 1) == "::" && !self.is_absolute(at);
        self.tokens[at].is_word() && self.text(at + 1) == "::" && !goes_on
    }

    /// Whether the `::` before `at` has nothing before it that it could go on from.
    fn is_absolute(&self, at: usize) -> bool {
        const KEYWORDS: [&str; 7] = ["use", "return", "in", "else", "match", "mut", "as"];
        let Some(before) = at.checked_sub(2).and_then(|index| self.tokens.get(index)) else { return true };
        !before.is_word() || KEYWORDS.contains(&before.text.as_str())
    }

    /// `a::b::c` in an expression, a type or an attribute.
    fn plain_path(&mut self, at: usize) -> usize {
        let absolute = at > 0 && self.text(at - 1) == "::";
        let mut names = vec![self.text(at).to_owned()];
        let mut next = at + 1;
        while self.text(next) == "::" && self.tokens.get(next + 1).is_some_and(Token::is_word) {
            names.push(self.text(next + 1).to_owned());
            next += 2;
        }
        self.note(names, absolute, self.tokens[at].line);
        next
    }

    /// One branch of a `use`, behind `prefix`; returns the index after it.
    fn tree(&mut self, mut at: usize, prefix: &[String]) -> usize {
        let absolute = prefix.is_empty() && self.text(at) == "::";
        at += usize::from(absolute);
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        let mut names = prefix.to_vec();
        loop {
            match self.text(at) {
                "{" => {
                    let end = closing(self.tokens, at);
                    at += 1;
                    while at < end {
                        at = if self.text(at) == "," { at + 1 } else { self.tree(at, &names) };
                    }
                    return end + 1;
                }
                "self" if !names.is_empty() => {}
                name => names.push(name.to_owned()),
            }
            at += 1;
            if self.text(at) != "::" {
                break;
            }
            at += 1;
        }
        self.note(names, absolute, line);
        // An alias: `as name`.
        if self.text(at) == "as" { at + 2 } else { at }
    }

    fn note(&mut self, names: Vec<String>, absolute: bool, line: usize) {
        let to = self.resolve(names, absolute);
        self.found.push(Reference { from: self.module.clone(), to, line });
    }

    fn resolve(&self, names: Vec<String>, absolute: bool) -> Target {
        let first = names.first().map_or("", String::as_str);
        let supers = names.iter().take_while(|name| *name == "super").count();
        match first {
            _ if absolute => Target::Outside(first.to_owned()),
            "crate" | "wireglass" => Target::Inside(names[1..].to_vec()),
            "super" => {
                let kept = self.module.len().saturating_sub(supers);
                Target::Inside([&self.module[..kept], &names[supers..]].concat())
            }
            "self" => {
                let above = names[1..].iter().take_while(|name| *name == "super").count();
                let kept = self.module.len().saturating_sub(above);
                Target::Inside([&self.module[..kept], &names[1 + above..]].concat())
            }
            name if self.declares(name) => Target::Inside([self.module.as_slice(), &names].concat()),
            name => Target::Outside(name.to_owned()),
        }
    }

    /// Whether this file has a child module called `name`, which then hides a crate of that name.
    fn declares(&self, name: &str) -> bool {
        self.inline.is_empty() && self.tokens.windows(2).any(|pair| pair[0].text == "mod" && pair[1].text == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tokens;
    use super::*;

    /// What `source`, as module `module`, refers to: `a::b` inside the crate, `=name` outside.
    fn targets(module: &str, source: &str) -> Vec<String> {
        let module: Vec<String> = module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let show = |reference: Reference| match reference.to {
            Target::Inside(path) => path.join("::"),
            Target::Outside(name) => format!("={name}"),
        };
        references(&module, &tokens(source)).into_iter().map(show).collect()
    }

    #[test]
    fn groups_are_taken_apart() {
        let source = "pub use crate::{a::{self, B, c::*}, d as e, f};";
        assert_eq!(targets("x", source), ["a", "a::B", "a::c::*", "d", "f"]);
        assert_eq!(targets("x", "use {crate::a, super::b, ::tokio::c};"), ["a", "b", "=tokio"]);
    }

    #[test]
    fn super_climbs_from_the_module_that_the_file_is() {
        assert_eq!(
            targets("stack::options", "use super::Stack; use super::super::link::Pipe;"),
            ["stack::Stack", "link::Pipe"]
        );
    }

    #[test]
    fn super_in_an_inline_module_is_the_file_itself() {
        let source = "mod tests { use super::*; fn f() { super::super::x::y(); } } use super::z;";
        assert_eq!(targets("a::b", source), ["a::b::*", "a::x::y", "a::z"]);
    }

    #[test]
    fn paths_in_expressions_types_and_attributes_count() {
        let source =
            "#[tokio::test] fn f(a: &crate::link::Pipe) -> ::smoltcp::Result { Vec::<u8>::new(); pub_in(crate) }";
        assert_eq!(targets("a", source), ["=tokio", "link::Pipe", "=smoltcp", "=Vec"]);
    }

    #[test]
    fn a_child_module_hides_the_crate_of_its_name() {
        assert_eq!(
            targets("stack", "pub mod smoltcp; pub use smoltcp::Adapter; use ::smoltcp::wire;"),
            ["stack::smoltcp::Adapter", "=smoltcp"]
        );
        assert_eq!(targets("stack::smoltcp", "use smoltcp::wire;"), ["=smoltcp"]);
    }

    #[test]
    fn sentences_are_not_paths() {
        assert_eq!(targets("a", "/// See [`crate::link`].\nconst A: &str = \"crate::link\"; // super::b\n"), [""; 0]);
    }
}
