//! File descriptors, by the numbers that the script has for them.

use std::collections::BTreeMap;

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream socket.
    Stream,
    /// A datagram socket.
    Datagram,
    /// Anything else.
    Other,
}

/// A descriptor of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number beyond the script.
    pub live: i32,
    /// What it is.
    pub kind: Kind,
    /// Octets written so far: where in the stream the next one goes.
    pub written: u64,
    /// Octets read so far.
    pub read: u64,
    /// Whether the octets read are known to be those that the script has sent. Urgent data, and data that went by ways
    /// that are not followed here, make it unknown.
    pub is_followed: bool,
}

impl Descriptor {
    /// One that is new.
    pub fn new(live: i32, kind: Kind) -> Descriptor {
        Descriptor { live, kind, written: 0, read: 0, is_followed: true }
    }
}

/// All descriptors of a script.
#[derive(Clone, Debug, Default)]
pub struct Descriptors {
    /// Of each number those that are open, the latest last. `accept` may use a number again whose descriptor is still open:
    /// the number then means the new one until that is closed.
    open: BTreeMap<i64, Vec<Descriptor>>,
}

impl Descriptors {
    /// Enters a descriptor; `false` when the script has this number already.
    pub fn enter(&mut self, script: i64, descriptor: Descriptor) -> bool {
        let is_free = !self.open.contains_key(&script);
        if is_free {
            self.shadow(script, descriptor);
        }
        is_free
    }

    /// Enters a descriptor in front of those that the number has already.
    pub fn shadow(&mut self, script: i64, descriptor: Descriptor) {
        self.open.entry(script).or_default().push(descriptor);
    }

    /// The descriptor of a number; `None` when the script has none such open.
    pub fn get(&self, script: i64) -> Option<&Descriptor> {
        self.open.get(&script)?.last()
    }

    /// As [`Descriptors::get`], to be changed.
    pub fn get_mut(&mut self, script: i64) -> Option<&mut Descriptor> {
        self.open.get_mut(&script)?.last_mut()
    }

    /// Forgets the latest of a number.
    pub fn close(&mut self, script: i64) {
        if let Some(open) = self.open.get_mut(&script) {
            open.pop();
            if open.is_empty() {
                self.open.remove(&script);
            }
        }
    }

    /// Says that what is read is no longer known, on any descriptor.
    pub fn lose_track(&mut self) {
        for descriptor in self.open.values_mut().flatten() {
            descriptor.is_followed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_used_again_means_the_latest_until_that_is_closed() {
        let mut descriptors = Descriptors::default();
        assert!(descriptors.enter(4, Descriptor::new(10, Kind::Stream)));
        assert!(!descriptors.enter(4, Descriptor::new(11, Kind::Stream)), "only accept() may");
        descriptors.shadow(4, Descriptor::new(12, Kind::Stream));
        let live = |descriptors: &Descriptors| descriptors.get(4).map(|descriptor| descriptor.live);
        assert_eq!(live(&descriptors), Some(12));
        descriptors.close(4);
        assert_eq!(live(&descriptors), Some(10));
        descriptors.close(4);
        assert_eq!(live(&descriptors), None);
    }
}
