//! Exact rules: counting matches, and saying which rule acts.

use super::config::Rule;
use crate::packet::Packet;

/// The rules of a pipe with what each has counted so far.
pub(super) struct Rules {
    counted: Vec<Counted>,
}

struct Counted {
    rule: Rule,
    matches: u32,
}

impl Rules {
    pub(super) fn new(rules: Vec<Rule>) -> Rules {
        Rules { counted: rules.into_iter().map(|rule| Counted { rule, matches: 0 }).collect() }
    }

    /// The rule that acts on `packet`, if any: the first in order. Every rule counts every packet that it matches, also
    /// one that another rule acts on: "the third segment with data" is the third whatever happened to the second.
    pub(super) fn judge(&mut self, packet: &Packet) -> Option<&Rule> {
        let mut acting = None;
        for counted in &mut self.counted {
            if !(counted.rule.when)(packet) {
                continue;
            }
            counted.matches = counted.matches.saturating_add(1);
            let acts = counted.rule.nth.is_empty() || counted.rule.nth.contains(&counted.matches);
            if acts && acting.is_none() {
                acting = Some(&counted.rule);
            }
        }
        acting
    }
}
