//! Output cut into lines, for the journal.
//!
//! What a program prints is a stream of octets of any length; the journal holds lines of bounded length.

use crate::journal::ProgramEvent;

/// Collects the octets of one output stream and gives them back line by line.
#[derive(Debug)]
pub(super) struct Lines {
    pending: Vec<u8>,
    is_error: bool,
}

impl Lines {
    /// A longer line is given in pieces of this many octets, so that output without line ends does not fill the memory.
    const LONGEST: usize = 8192;

    /// The lines of standard error or of standard output.
    pub(super) fn new(is_error: bool) -> Lines {
        Lines { pending: Vec::new(), is_error }
    }

    /// Takes octets in; each line that they complete goes to `emit`. What is not UTF-8 becomes U+FFFD.
    pub(super) fn push(&mut self, mut octets: &[u8], emit: &mut impl FnMut(ProgramEvent)) {
        while !octets.is_empty() {
            let room = Self::LONGEST - self.pending.len();
            let window = octets.get(..room).unwrap_or(octets);
            let end = window.iter().position(|octet| *octet == b'\n');
            let (line, rest) = octets.split_at(end.unwrap_or(window.len()));
            self.pending.extend_from_slice(line);
            if end.is_some() || self.pending.len() == Self::LONGEST {
                self.flush(emit);
            }
            octets = rest.strip_prefix(b"\n").filter(|_| end.is_some()).unwrap_or(rest);
        }
    }

    /// The output has ended: what is left is a line, even without its end.
    pub(super) fn finish(mut self, emit: &mut impl FnMut(ProgramEvent)) {
        if !self.pending.is_empty() {
            self.flush(emit);
        }
    }

    fn flush(&mut self, emit: &mut impl FnMut(ProgramEvent)) {
        let octets = self.pending.strip_suffix(b"\r").unwrap_or(&self.pending);
        let line = String::from_utf8_lossy(octets).into_owned();
        self.pending.clear();
        emit(ProgramEvent::Output { line, is_error: self.is_error });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut emit = |event| match event {
            ProgramEvent::Output { line, is_error: true } => seen.push(line),
            other => panic!("not a line of standard error: {other:?}"),
        };
        let mut lines = Lines::new(true);
        for piece in pieces {
            lines.push(piece, &mut emit);
        }
        lines.finish(&mut emit);
        seen
    }

    #[test]
    fn lines_are_whole_however_the_octets_come() {
        assert_eq!(cut(&[b"one\ntw", b"o\r\n\nlast"]), ["one", "two", "", "last"]);
        assert_eq!(cut(&[b"one", b"\n"]), ["one"]);
        assert_eq!(cut(&[]), [""; 0]);
    }

    #[test]
    fn a_line_without_end_is_given_in_bounded_pieces() {
        let long = vec![b'x'; Lines::LONGEST * 2 + 5];
        let lengths: Vec<usize> = cut(&[&long]).iter().map(String::len).collect();
        assert_eq!(lengths, [Lines::LONGEST, Lines::LONGEST, 5]);
    }
}
