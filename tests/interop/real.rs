//! What real programs and our stack make of each other: a lab on the way, and what was printed at its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use wireglass::journal::{Event, NodeId, ProgramEvent};
use wireglass::lab::{self, Definition, Finished, Mode, Options, RunError, Wanted};

use crate::support::{Folder, has, live, skip};

/// Two nodes with one link between them: a kernel where real programs run, and a userspace stack.
const NODES: &str = r#"
    id      = "98-real-programs"
    title   = "Real programs"
    summary = "One end is a program that everybody has."
    minutes = 1
    seed    = 98
    [node.client]
    live = "CLIENT"
    sim  = "stack"
    [node.server]
    live  = "SERVER"
    sim   = "stack"
    names = ["api.example.com"]
    [[link]]
    between = ["client", "server"]
    delay   = "1ms"
"#;

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);

/// Who is the userspace stack.
#[derive(Clone, Copy)]
pub(super) enum Ours {
    Client,
    Server,
}

/// A live run of `steps` that has ended well.
pub(super) struct Ran(Finished);

impl Ran {
    /// `None`, and why, where the machine has not what it needs.
    pub(super) fn of(test: &str, ours: Ours, needs: &[&str], steps: &str) -> Option<Ran> {
        if !needs.iter().all(|program| has(test, program)) {
            return None;
        }
        let (client, server) = match ours {
            Ours::Client => ("stack", "linux"),
            Ours::Server => ("linux", "stack"),
        };
        let text = NODES.replace("CLIENT", client).replace("SERVER", server) + steps;
        let definition = Definition::parse("real.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (folder, _turn) = (Folder::new(), live::turn());
        let options = Options {
            wanted: Wanted::Only(Mode::Live),
            out: Some(folder.path().join("out")),
            holder: Some(env!("CARGO_BIN_EXE_wireglass").into()),
            ..Options::default()
        };
        let finished = match lab::run(&definition, &options) {
            Ok(finished) => finished,
            Err(error @ RunError::NotLive(_)) => {
                skip(test, &error.to_string());
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let ran = Ran(finished);
        assert_eq!(ran.0.failures, [], "{}\n{}", ran.client(), ran.server());
        for verdict in &ran.0.verdicts {
            assert!(!verdict.is_fail(), "{verdict:?}");
        }
        Some(ran)
    }

    /// What the client's programs have printed.
    pub(super) fn client(&self) -> String {
        self.printed(CLIENT)
    }

    /// What the server's programs have printed.
    pub(super) fn server(&self) -> String {
        self.printed(SERVER)
    }

    fn printed(&self, node: NodeId) -> String {
        let told = self.0.recorder.journal().entries().filter(|entry| entry.node == node);
        let lines = told.filter_map(|entry| match &entry.event {
            Event::Program { report: ProgramEvent::Output { line, .. }, .. } => Some(line.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The client has printed all of these, in this order; lines may stand between them.
    pub(super) fn client_printed(&self, parts: &[&str]) {
        let printed = self.client();
        let mut rest = printed.as_str();
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else {
                panic!("{part:?} is not in the rest:\n{rest}\nof:\n{printed}");
            };
            rest = after;
        }
    }
}

/// A file in `folder`; returns its path.
pub(super) fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("the folder is ours");
    path.to_str().expect("its name is plain").to_owned()
}

/// Runs `openssl` in `folder`.
pub(super) fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("it is installed");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
