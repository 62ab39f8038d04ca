//! What a room has to tell, until its owner takes it.

use super::Event;

/// Events of one room, oldest first. Closed, it keeps nothing: then telling costs a look at one flag.
#[derive(Debug, Default)]
pub struct Notebook {
    events: Vec<Event>,
    closed: bool,
}

impl Notebook {
    /// Writes an event down, if the notebook is open.
    #[inline]
    pub fn tell(&mut self, event: Event) {
        if !self.closed {
            self.events.push(event);
        }
    }

    /// Opens or closes it. What was written before a closing is forgotten.
    pub fn set_open(&mut self, open: bool) {
        self.closed = !open;
        if self.closed {
            self.events = Vec::new();
        }
    }

    /// Moves what was written since the last call to the end of `journal`.
    pub fn drain(&mut self, journal: &mut Vec<Event>) {
        journal.append(&mut self.events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::PacketId;

    #[test]
    fn a_closed_notebook_keeps_nothing() {
        let mut notebook = Notebook::default();
        let mut journal = Vec::new();
        for (number, open) in [(1, true), (2, false), (3, true)] {
            notebook.set_open(open);
            notebook.tell(Event::PacketArrived { packet: PacketId(number) });
            notebook.drain(&mut journal);
        }
        let told: Vec<String> = journal.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(told, ["PacketArrived { packet: PacketId(1) }", "PacketArrived { packet: PacketId(3) }"]);
    }
}
