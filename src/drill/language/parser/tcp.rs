//! TCP segments: `S. 0:0(0) ack 1 win 65535 <mss 1460,nop,wscale 7>`.

use crate::drill::language::error::{ParseError, quoted};
use crate::drill::language::lexer::Token;
use crate::drill::language::script::{OptionSpec, OptionsSpec, TcpSpec};
use crate::packet::{SeqNum, TcpFlags};

use super::Parser;
use super::packet::Direction;

/// Octets that a header has for options.
const MAX_OPTIONS: usize = 40;
/// The options that carry AccECN's counters, by which of them comes first (draft-ietf-tcpm-accurate-ecn §3.2.3).
const ACCECN: [(&str, u8, [&str; 2]); 2] = [("e0b", 172, ["ceb", "e1b"]), ("e1b", 174, ["ceb", "e0b"])];

/// The letters of the flags. `A` and the digits, AccECN's third bit and counter, have no place in [`TcpFlags`].
const FLAGS: [(char, TcpFlags); 8] = [
    ('.', TcpFlags::ACK),
    ('F', TcpFlags::FIN),
    ('S', TcpFlags::SYN),
    ('R', TcpFlags::RST),
    ('P', TcpFlags::PSH),
    ('E', TcpFlags::ECE),
    ('W', TcpFlags::CWR),
    ('U', TcpFlags::URG),
];

impl Parser<'_> {
    pub(super) fn tcp(&mut self, direction: Direction) -> Result<TcpSpec, ParseError> {
        if self.take_word("encap") {
            self.keyword("psp")?;
            self.keyword("spi")?;
            self.integer("the security parameters index")?;
            self.unsupported("a segment within PSP");
        }
        let sport_dport = self.ports()?;
        let (flags, unknown_flags) = self.flags()?;
        let (seq, end, length) = self.sequence()?;
        if self.take_symbol('!') {
            self.unsupported("a sequence number that is not relative (`!`)");
        }
        let ack = if self.take_word("ack") { Some(SeqNum(self.number("the acknowledged number")?)) } else { None };
        let window = if self.take_word("win") { Some(self.number("the window")?) } else { None };
        if window.is_none() && direction == Direction::In {
            let help = "a packet that reaches the stack says what its window is";
            return Err(self.expected("`win` and a number").with_help(help));
        }
        let urgent = if self.take_word("urg") { Some(self.number("the urgent pointer")?) } else { None };
        let first = self.next;
        let options = self.options()?;
        if options == OptionsSpec::Any && direction == Direction::In {
            let help = "`<...>` is any options, which only a packet of the stack (`>`) can have";
            return Err(self.expected_since(first, "the options").with_help(help));
        }
        self.udp_around()?;
        Ok(TcpSpec { flags, unknown_flags, seq, end, length, ack, window, urgent, options, sport_dport })
    }

    /// `/udp(9811 > 1)`: the FreeBSD dialect's TCP within UDP.
    pub(super) fn udp_around(&mut self) -> Result<(), ParseError> {
        if self.take_symbol('/') {
            self.keyword("udp")?;
            self.symbol('(')?;
            self.ports()?;
            self.symbol(')')?;
            self.unsupported("TCP within UDP");
        }
        Ok(())
    }

    /// The flags, and whether there are some that we do not know.
    fn flags(&mut self) -> Result<(TcpFlags, bool), ParseError> {
        const WHAT: &str = "the flags: `S`, `S.`, `P.`, `.`, or `-` for none";
        let first = self.next;
        let mut letters = String::new();
        match self.peek() {
            Some(Token::Symbol('-')) => {}
            Some(Token::Symbol('.')) => letters.push('.'),
            Some(Token::Word(text) | Token::Float(text)) => letters.push_str(text),
            Some(_) | None => return Err(self.expected(WHAT)),
        }
        let is_word = matches!(self.peek(), Some(Token::Word(_)));
        self.next += 1;
        if is_word {
            match self.peek() {
                Some(Token::Symbol('.')) => letters.push('.'),
                Some(Token::Float(text)) => letters.push_str(text),
                Some(_) | None => self.next -= 1,
            }
            self.next += 1;
        }
        meaning_of_flags(&letters).ok_or_else(|| {
            let help = "the letters are F S R P . U E W; A, or one digit in place of E, W and A, is AccECN's";
            self.expected_since(first, WHAT).with_help(help)
        })
    }

    /// `a:b(n)`. The numbers may run over the end of their 32 bits. `...(n)` is the FreeBSD dialect's "wherever".
    pub(super) fn sequence(&mut self) -> Result<(SeqNum, SeqNum, u32), ParseError> {
        let first = self.next;
        if self.peek() == Some(&Token::Ellipsis) {
            self.next += 1;
            self.unsupported("any sequence number (`...`)");
            let length = self.octets_in_brackets()?;
            return Ok((SeqNum(0), SeqNum(length), length));
        }
        let seq: u32 = self.number("the sequence numbers, as in `1:1001(1000)`")?;
        self.symbol(':')?;
        let end: u32 = self.number("the sequence number behind the data")?;
        self.symbol('(')?;
        let length: u16 = self.number("the octets of data")?;
        self.symbol(')')?;
        let length = u32::from(length);
        if seq.wrapping_add(length) != end {
            let meant =
                format!("`{seq}:{}({length})` or `{seq}:{end}({})`", seq.wrapping_add(length), end.wrapping_sub(seq));
            return Err(self.expected_since(first, meant));
        }
        Ok((SeqNum(seq), SeqNum(end), length))
    }

    fn options(&mut self) -> Result<OptionsSpec, ParseError> {
        let first = self.next;
        if !self.take_symbol('<') {
            return Ok(OptionsSpec::Absent);
        }
        if self.peek() == Some(&Token::Ellipsis) {
            self.next += 1;
            self.symbol('>')?;
            return Ok(OptionsSpec::Any);
        }
        let mut options = Vec::new();
        loop {
            options.extend(self.option()?);
            if self.take_symbol('>') {
                break;
            }
            if !self.take_symbol(',') {
                return Err(self.expected("`,` and the next option, or `>`"));
            }
        }
        let octets: usize = options.iter().map(octets_of).sum();
        let is_known = self.unsupported.is_none();
        if is_known && octets > MAX_OPTIONS {
            return Err(self.expected_since(first, format!("options of at most {MAX_OPTIONS} octets, not {octets}")));
        }
        if is_known && !octets.is_multiple_of(4) {
            let help = format!("these options take {octets} octets; pad them with `nop` or `eol`");
            return Err(self.expected_since(first, "options of a multiple of 4 octets").with_help(help));
        }
        Ok(OptionsSpec::List(options))
    }

    /// One option; `None` when it cannot be told what it is.
    fn option(&mut self) -> Result<Option<OptionSpec>, ParseError> {
        const WHAT: &str = "a TCP option: `mss n`, `nop`, `eol`, `wscale n`, `sackOK`, `sack a:b …`, \
                            `TS val n ecr n`, `FO …`, `FOEXP …`, `md5 …`, `ECN …` or `unknown kind/octets`";
        let at = self.next;
        let name = self.word(WHAT)?;
        Ok(Some(match name.as_str() {
            "nop" => OptionSpec::Nop,
            "eol" => OptionSpec::EndOfList,
            "mss" => OptionSpec::Mss(self.number("the MSS")?),
            "wscale" => OptionSpec::WindowScale(self.number("the shift count")?),
            "sackOK" => OptionSpec::SackPermitted,
            "sack" => OptionSpec::Sack(self.blocks()?),
            "TS" => {
                self.keyword("val")?;
                let val = self.number("TSval")?;
                self.keyword("ecr")?;
                OptionSpec::Timestamps { val, ecr: self.number("TSecr")? }
            }
            "FO" | "FOEXP" => {
                let is_empty = !matches!(self.peek(), Some(Token::Word(_) | Token::Integer { .. }));
                let cookie = if is_empty { Vec::new() } else { self.octets("the cookie in hexadecimal digits")? };
                OptionSpec::FastOpen { cookie, experimental: name == "FOEXP" }
            }
            "md5" if self.is_word("valid") || self.is_word("invalid") => {
                self.next += 1;
                self.unsupported("an MD5 option that packetdrill computes");
                return Ok(None);
            }
            "md5" => OptionSpec::Md5(self.octets("the digest in hexadecimal digits")?),
            "ECN" => self.accecn()?,
            "unknown" => {
                let kind = self.number("the option's kind")?;
                let body =
                    if self.take_symbol('/') { self.octets("the octets behind kind and length")? } else { Vec::new() };
                OptionSpec::Other { kind, body }
            }
            _ => return Err(self.expected_at(at, WHAT)),
        }))
    }

    fn blocks(&mut self) -> Result<Vec<(SeqNum, SeqNum)>, ParseError> {
        let mut blocks = Vec::new();
        while blocks.is_empty() || matches!(self.peek(), Some(Token::Integer { .. })) {
            let left = self.number("a block, as in `sack 1:2 5:6`")?;
            self.symbol(':')?;
            blocks.push((SeqNum(left), SeqNum(self.number("the block's right edge")?)));
        }
        Ok(blocks)
    }

    /// Octets as hexadecimal digits, which look like a word or a number.
    fn octets(&mut self, what: &str) -> Result<Vec<u8>, ParseError> {
        let octets = match self.peek() {
            Some(Token::Word(text) | Token::Integer { text, .. }) => hexadecimal(text).ok_or_else(|| text.clone()),
            Some(_) | None => return Err(self.expected(what)),
        };
        let octets = octets.map_err(|text| {
            let error = self.expected(format!("{what}, two for each octet"));
            let is_name = !text.starts_with(|first: char| first.is_ascii_digit());
            let help = format!("if {} stands for octets, say which, as by -D {text}=0123456789abcdef", quoted(&text));
            if is_name { error.with_help(help) } else { error }
        })?;
        self.next += 1;
        Ok(octets)
    }

    /// `e0b n ceb n e1b n`, or `e1b n ceb n e0b n`; those at the end may be missing.
    fn accecn(&mut self) -> Result<OptionSpec, ParseError> {
        let Some((first, kind, others)) = ACCECN.iter().find(|(first, ..)| self.is_word(first)) else {
            return Err(self.expected("`e0b` or `e1b`"));
        };
        let mut body = Vec::new();
        for name in [first, others.first().unwrap_or(first), others.last().unwrap_or(first)] {
            if !self.take_word(name) {
                break;
            }
            let at = self.next;
            let counter: u32 = self.number("the counter")?;
            match counter.to_be_bytes() {
                [0, octets @ ..] => body.extend(octets),
                _ => return Err(self.expected_at(at, "a counter of 24 bits")),
            }
        }
        Ok(OptionSpec::Other { kind: *kind, body })
    }
}

/// What the letters of the flags mean; `None` when they mean nothing.
fn meaning_of_flags(letters: &str) -> Option<(TcpFlags, bool)> {
    let mut flags = TcpFlags(0);
    let (mut ace, mut has_ecn, mut has_third_bit) = (None, false, false);
    for letter in letters.chars() {
        match (FLAGS.iter().find(|(known, _)| *known == letter), letter) {
            (Some((_, flag)), _) => {
                flags = TcpFlags(flags.0 | flag.0);
                has_ecn |= matches!(letter, 'E' | 'W');
            }
            (None, 'A') => has_third_bit = true,
            (None, '0'..='7') if ace.is_none() => ace = Some(letter),
            (None, _) => return None,
        }
    }
    let is_contradictory = ace.is_some() && (has_ecn || has_third_bit);
    // A counter of 0 is the three bits at 0, which is what a segment without any of them has.
    let is_unknown = has_third_bit || ace.is_some_and(|ace| ace != '0');
    (!is_contradictory).then_some((flags, is_unknown))
}

/// Octets that an option takes on the wire.
fn octets_of(option: &OptionSpec) -> usize {
    match option {
        OptionSpec::EndOfList | OptionSpec::Nop => 1,
        OptionSpec::Mss(_) => 4,
        OptionSpec::WindowScale(_) => 3,
        OptionSpec::SackPermitted => 2,
        OptionSpec::Sack(blocks) => 2 + 8 * blocks.len(),
        OptionSpec::Timestamps { .. } => 10,
        OptionSpec::FastOpen { cookie, experimental } => cookie.len() + if *experimental { 4 } else { 2 },
        OptionSpec::Md5(digest) => 2 + digest.len(),
        OptionSpec::Other { body, .. } => 2 + body.len(),
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect()
}
