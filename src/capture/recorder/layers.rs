//! `layers.txt`: every header of every packet, written when a run is over.

use std::io::{self, Write};
use std::path::PathBuf;

use super::super::Record;
use super::super::output::{Output, Owner, RecorderError};
use super::{Describe, Vantage, VantageConfig};
use crate::time::Instant;

/// How many packets of a node `layers.txt` explains: some five thousand octets of text each, which nobody reads to the end.
const MOST_EXPLAINED: usize = 10_000;

/// `layers.txt`: the packets that memory has, node by node.
pub(super) struct Layers {
    pub(super) path: PathBuf,
    pub(super) owner: Owner,
    pub(super) describe: Describe,
}

impl Layers {
    pub(super) fn write(&self, vantages: &[Vantage]) -> Result<(), RecorderError> {
        let mut file = Output::create(&self.path, self.owner)?;
        let written = vantages.iter().try_for_each(|vantage| self.write_node(&mut file, vantage));
        written.and_then(|()| file.flush()).map_err(|source| RecorderError::write(&self.path, source))
    }

    fn write_node(&self, file: &mut Output, vantage: &Vantage) -> io::Result<()> {
        let VantageConfig { name, description, .. } = &vantage.config;
        writeln!(file, "=== {name}: {description}")?;
        let began = vantage.records.first().map_or(Instant::ZERO, |record| record.at);
        for (number, record) in (1..).zip(vantage.records.iter().take(MOST_EXPLAINED)) {
            // From the node's first packet, as Wireshark counts.
            let record = Record { at: Instant::ZERO + (record.at - began), ..record.clone() };
            file.write_all((self.describe)(name, number, &record).as_bytes())?;
        }
        match vantage.seen - vantage.records.len().min(MOST_EXPLAINED) as u64 {
            0 => Ok(()),
            more => writeln!(
                file,
                "the {more} packets after these are in the capture file only, `wireglass show FILE --layers` explains them"
            ),
        }
    }
}
