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
    open: BTreeMap<i64, Descriptor>,
}

impl Descriptors {
    /// Enters a descriptor; `false` when the script has this number already.
    pub fn enter(&mut self, script: i64, descriptor: Descriptor) -> bool {
        let is_free = !self.open.contains_key(&script);
        if is_free {
            self.open.insert(script, descriptor);
        }
        is_free
    }

    /// Enters a descriptor that accept() has made: the script may give it a number that it used before and never closed, and
    /// means the newest from then on.
    pub fn renumber(&mut self, script: i64, descriptor: Descriptor) {
        self.open.insert(script, descriptor);
    }

    /// The descriptor of a number; `None` when the script has none such open.
    pub fn get(&self, script: i64) -> Option<&Descriptor> {
        self.open.get(&script)
    }

    /// As [`Descriptors::get`], to be changed.
    pub fn get_mut(&mut self, script: i64) -> Option<&mut Descriptor> {
        self.open.get_mut(&script)
    }

    /// Forgets a number.
    pub fn close(&mut self, script: i64) {
        self.open.remove(&script);
    }

    /// Says that what is read is no longer known, on any descriptor.
    pub fn lose_track(&mut self) {
        for descriptor in self.open.values_mut() {
            descriptor.is_followed = false;
        }
    }
}
