//! A recorder that the network tells and the run reads afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Record, Recorder, Witness};
use crate::journal::{Entry, NodeId};

/// A recorder, shared between the network that tells it and the run that reads it afterwards.
#[derive(Clone)]
pub struct SharedRecorder(Arc<Mutex<Option<Recorder>>>);

impl SharedRecorder {
    /// Shares `recorder`.
    pub fn new(recorder: Recorder) -> SharedRecorder {
        SharedRecorder(Arc::new(Mutex::new(Some(recorder))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recorder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the recorder back; what is told afterwards goes nowhere. `None` when that has happened already.
    pub fn take(&self) -> Option<Recorder> {
        self.lock().take()
    }
}

impl Witness for SharedRecorder {
    fn packet(&mut self, node: NodeId, record: Record) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.packet(node, record);
        }
    }

    fn event(&mut self, entry: Entry) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.event(entry);
        }
    }

    fn settle(&mut self) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.settle();
        }
    }

    fn secrets(&mut self, key_log: &str) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.secrets(key_log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{LinkType, RecorderConfig, VantageConfig};
    use crate::journal::{Entry, Event, NodeId, ProgramEvent};
    use crate::time::Instant;

    #[test]
    fn secrets_that_the_network_is_told_reach_the_captures() {
        let dir = std::env::temp_dir().join(format!("wireglass-secrets-{}", std::process::id()));
        let node = VantageConfig {
            node: NodeId(0),
            name: "client".to_owned(),
            description: String::new(),
            link_type: LinkType::Ipv4,
        };
        let config = RecorderConfig { dir: Some(dir.clone()), nodes: vec![node], ..RecorderConfig::default() };
        let shared = SharedRecorder::new(Recorder::create(config).expect("the folder is ours"));
        let mut witness: Box<dyn Witness> = Box::new(shared.clone());
        // Both ends tell it.
        let report = ProgramEvent::Secrets { line: "CLIENT_RANDOM 0123 4567".to_owned() };
        let event = Event::Program { program: "http-server".to_owned(), report };
        for node in [NodeId(0), NodeId(1)] {
            witness.event(Entry { at: Instant::ZERO, node, event: event.clone() });
        }
        shared.take().expect("it is there").finish().expect("there is room");
        let capture = std::fs::read(dir.join("client.pcapng")).expect("it was written");
        std::fs::remove_dir_all(&dir).expect("it is ours");
        let found = capture.windows(18).filter(|window| *window == b"CLIENT_RANDOM 0123");
        assert_eq!(found.count(), 1, "the file has the key log, once");
    }
}
