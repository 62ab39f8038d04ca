//! Nothing that is given to the parser, the shell or the code can bring it down.

use proptest::prelude::*;

use super::CONVERSATION;
use crate::drill::language::script::{Script, What};
use crate::drill::language::{Definitions, python, shell};

/// Pieces that scripts are made of, so that nonsense gets far.
const PIECES: [&str; 64] = [
    "+",
    "0",
    ".1",
    "~",
    "*",
    "...",
    "<",
    ">",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "%{",
    "}%",
    "`",
    "\"",
    "\\",
    "//",
    "/*",
    "*/",
    "#ifdef A\n",
    "#else\n",
    "#endif\n",
    "\n",
    "\t",
    " ",
    "--mss",
    "=",
    ",",
    ":",
    "|",
    "-",
    "-1",
    "S.",
    "P",
    ".",
    "1:1(0)",
    "ack 1",
    "win 5",
    "urg 1",
    "mss 5",
    "nop",
    "sack 1:2",
    "TS val 1 ecr 2",
    "FO 12",
    "md5",
    "ECN e0b 1",
    "icmp",
    "udp",
    "unreachable",
    "mtu 5",
    "gre",
    "mpls",
    "ipv6",
    "::1",
    "1.2.3.4",
    "socket",
    "= 0",
    "EAGAIN",
    "é",
    "assert",
    "sysctl -q",
];

/// Reads a script and everything in it.
fn read(text: &str) {
    let mut definitions = Definitions::new();
    definitions.define("A=1").expect("NAME=value");
    match Script::parse_with(text, "made-up.pkt", &definitions) {
        Ok(script) => {
            let mut variables = python::Variables::default();
            for event in &script.events {
                assert!(event.line >= 1 && !event.text.contains('\n'));
                match &event.what {
                    What::Shell(command) => drop(shell::directives(command)),
                    What::Code(code) => drop(python::check_next(code, &|_| Some(1), &mut variables)),
                    What::Inject(_) | What::Expect(_) | What::Call(_) | What::Unsupported(_) => {}
                }
            }
        }
        Err(error) => {
            let lines = u32::try_from(text.split('\n').count()).expect("a short script");
            assert!((1..=lines).contains(&error.line), "{error}");
            assert!(error.to_string().starts_with("made-up.pkt:"));
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        read(&text);
        drop(shell::directives(&text));
        drop(python::check(&text, &|_| Some(1)));
    }

    #[test]
    fn no_heap_of_pieces_panics(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        let text = pieces.join(" ");
        read(&text);
        read(&pieces.concat());
        drop(shell::directives(&text));
        drop(python::check(&text, &|_| Some(1)));
    }

    #[test]
    fn no_mutation_of_a_script_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(&PIECES[..])), 1..6),
    ) {
        let mut text: Vec<char> = CONVERSATION.chars().collect();
        for (index, length, piece) in cuts {
            let start = index.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.chars());
        }
        read(&text.into_iter().collect::<String>());
    }

    #[test]
    fn an_unharmed_script_reads_the_same_with_other_blanks(blank in "[ \t]{1,4}|\n|/\\* a \\*/ ") {
        // Blanks between the tokens of system calls and packets mean nothing.
        let plain = "+.1 < S. 0:0(0) ack 1 win 5 <mss 5,nop,nop,sack 1:2>\n+0 f(1, {a=2}) = -1 E (x)";
        let changed = plain.replace(' ', &blank);
        let what = |text: &str| -> Vec<What> {
            let script = Script::parse(text, "made-up.pkt").unwrap_or_else(|error| panic!("{error}"));
            script.events.into_iter().map(|event| event.what).collect()
        };
        prop_assert_eq!(what(plain), what(&changed));
    }
}
