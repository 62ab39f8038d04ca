//! Frames in a capture of their own, a quarter of a second between two, so that one run of tshark tells of many filters
//! which frames each selects.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use wireglass::filter::{Filter, PacketSubject, Streams, Subject};
use wireglass::packet::{Dissection, Medium};
use wireglass::time::Instant;

use super::Folder;

/// No names; and HTTP is shown where it begins, as in our filters.
const PREFERENCES: [&str; 3] = ["-n", "-o", "tcp.desegment_tcp_streams:FALSE"];

/// Milliseconds between two frames.
const SPACING: u64 = 250;

/// One frame: what was captured of it, and how long it was.
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) wire_len: usize,
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Frame {
        Frame { wire_len: bytes.len(), bytes }
    }
}

/// The capture, in a folder of its own.
pub(crate) struct Spaced {
    pub(crate) medium: Medium,
    pub(crate) frames: Vec<Frame>,
    folder: Folder,
}

impl Spaced {
    /// Writes it.
    pub(crate) fn write(medium: Medium, frames: Vec<Frame>) -> Spaced {
        let link_type: u32 = match medium {
            Medium::Ip => 101,
            Medium::Ethernet => 1,
        };
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, link_type] {
            file.extend_from_slice(&u32::to_le_bytes(word));
        }
        // tshark's statistics leave out the moment of the last frame, so one more follows that nobody looks at.
        let trailer = Frame::from(vec![0; 14]);
        for (index, frame) in frames.iter().chain([&trailer]).enumerate() {
            let micros = 1_000 * SPACING * index as u64;
            let times = [1_700_000_000 + (micros / 1_000_000) as u32, (micros % 1_000_000) as u32];
            for word in times.into_iter().chain([frame.bytes.len() as u32, frame.wire_len as u32]) {
                file.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(&frame.bytes);
        }
        let spaced = Spaced { medium, frames, folder: Folder::new() };
        fs::write(spaced.file(), file).expect("the folder is ours");
        spaced
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("frames.pcap")
    }

    /// The frame numbers that our filters select, for each.
    pub(crate) fn ours(&self, filters: &[&Filter]) -> Vec<Vec<u64>> {
        let mut streams = Streams::default();
        let mut selected = vec![Vec::new(); filters.len()];
        for (number, frame) in (1..).zip(&self.frames) {
            let dissection = Dissection::of(self.medium, &frame.bytes, frame.wire_len);
            let (stream, relative) = streams.next(&dissection);
            let subject = PacketSubject {
                number: Some(number),
                at: Instant::ZERO + Duration::from_millis(SPACING * (number - 1)),
                dissection: &dissection,
                bytes: &frame.bytes,
                stream,
                relative,
            };
            for (filter, selected) in filters.iter().zip(&mut selected) {
                if filter.matches(&Subject::Packet(subject)) {
                    selected.push(number);
                }
            }
        }
        selected
    }

    /// The frame numbers that tshark selects, for each filter: one run counts for all of them, in intervals that hold one
    /// frame each.
    ///
    /// A comma separates filters there, so a filter that has one is given by the name of a macro.
    pub(crate) fn tsharks(&self, filters: &[String]) -> Vec<Vec<u64>> {
        let escaped = |text: &str| text.replace('\\', "\\x5c").replace('"', "\\x22");
        let macros: String = (0..)
            .zip(filters)
            .map(|(place, filter): (u32, _)| format!("\"f{place}\",\"{}\"\n", escaped(filter)))
            .collect();
        fs::write(self.folder.path().join("dfilter_macros"), macros).expect("the folder is ours");
        let given =
            (0..).zip(filters).map(
                |(place, filter): (u32, _)| {
                    if filter.contains(',') { format!("${{f{place}}}") } else { filter.clone() }
                },
            );
        let statistics = format!("io,stat,0.{SPACING},{}", given.collect::<Vec<_>>().join(","));
        let table = self.tshark(&["-q", "-z", &statistics]);
        let rows: Vec<Vec<&str>> =
            table.lines().filter(|line| line.contains(" <> ")).map(|line| line.split('|').collect()).collect();
        assert_eq!(rows.len(), self.frames.len(), "one row for each frame:\n{table}");
        // Before it stand nothing and the interval; each filter has a column of frames and one of octets.
        let is_counted = |row: &[&str], column: usize| row[2 + 2 * column].trim() == "1";
        (0..filters.len())
            .map(|column| {
                (1..).zip(&rows).filter(|(_, row)| is_counted(row, column)).map(|(number, _)| number).collect()
            })
            .collect()
    }

    /// What tshark prints about it.
    pub(crate) fn tshark(&self, arguments: &[&str]) -> String {
        let output = Command::new("tshark")
            .arg("-r")
            .arg(self.file())
            .args(PREFERENCES)
            .args(arguments)
            // Nobody's own preferences, and the macros of `tsharks`.
            .env("WIRESHARK_CONFIG_DIR", self.folder.path())
            .output()
            .expect("tshark runs; install it (Debian: apt install tshark)");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark {arguments:?}: {complaint}");
        String::from_utf8(output.stdout).expect("tshark prints text")
    }
}
