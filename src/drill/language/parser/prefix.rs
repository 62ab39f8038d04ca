//! Headers around a packet: `ipv4 a > b:`, `ipv6 a > b:`, `gre …:`, `mpls …:`. Their form is read, their meaning is not
//! modelled.

use crate::drill::language::error::ParseError;
use crate::drill::language::lexer::Token;

use super::Parser;

impl Parser<'_> {
    /// All the headers that stand here; the event is unsupported if there is one.
    pub(super) fn prefixes(&mut self) -> Result<(), ParseError> {
        while let Some(Token::Word(word)) = self.peek() {
            let name = match word.as_str() {
                "ipv4" | "ipv6" => "a packet within IP",
                "gre" | "GREv0" => "a packet within GRE",
                "mpls" => "a packet behind MPLS labels",
                _ => return Ok(()),
            };
            let (is_ip, is_gre) = (word.starts_with("ip"), word.eq_ignore_ascii_case("gre") || word == "GREv0");
            self.unsupported(name);
            self.next += 1;
            if is_ip {
                self.addresses()?;
            } else if is_gre && !self.is_symbol(':') {
                self.take_symbol(',');
                self.gre()?;
            } else if !is_gre {
                self.labels()?;
            }
            self.symbol(':')?;
        }
        Ok(())
    }

    fn addresses(&mut self) -> Result<(), ParseError> {
        self.skip_ip()?;
        self.address()?;
        self.symbol('>')?;
        self.address()
    }

    fn address(&mut self) -> Result<(), ParseError> {
        if !matches!(self.peek(), Some(Token::Address(_))) {
            return Err(self.expected("an address"));
        }
        self.next += 1;
        Ok(())
    }

    /// `flags [none] sum n off n key n seq n`, commas between them as one likes.
    pub(super) fn gre(&mut self) -> Result<(), ParseError> {
        if !self.take_word("flags") && !self.take_word("Flags") {
            return Err(self.expected("`flags`"));
        }
        if self.take_symbol('[') {
            loop {
                self.gre_flag()?;
                if !self.take_symbol(',') {
                    break;
                }
            }
            self.symbol(']')?;
        } else {
            self.integer("the flags")?;
        }
        for part in ["sum", "off", "key", "seq"] {
            self.take_symbol(',');
            self.keyword(part)?;
            if part == "key" {
                self.take_symbol('=');
            }
            self.integer("its value")?;
        }
        Ok(())
    }

    fn gre_flag(&mut self) -> Result<(), ParseError> {
        if self.take_word("none") {
            return Ok(());
        }
        let is_sequence = self.take_word("sequence");
        if is_sequence {
            self.symbol('#')?;
        } else if !self.take_word("checksum") && !self.take_word("key") {
            return Err(self.expected("`none`, `checksum present`, `key present` or `sequence# present`"));
        }
        self.keyword("present")
    }

    /// `(label n, tc n, [S], ttl n)`, any number of them.
    pub(super) fn labels(&mut self) -> Result<(), ParseError> {
        while self.take_symbol('(') {
            self.keyword("label")?;
            self.integer("the label")?;
            self.symbol(',')?;
            self.keyword("tc")?;
            self.integer("the traffic class")?;
            self.symbol(',')?;
            if self.take_symbol('[') {
                self.keyword("S")?;
                self.symbol(']')?;
                self.symbol(',')?;
            }
            self.keyword("ttl")?;
            self.integer("the time to live")?;
            self.symbol(')')?;
        }
        Ok(())
    }
}
