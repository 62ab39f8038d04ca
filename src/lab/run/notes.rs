//! What is to be said of the stack that a lab was run on, when it is not as the lab would have it.

use super::{Finished, Kernel, Mode};
use crate::lab::definition::Definition;
use crate::stack::StackKind;
use crate::tcp::Congestion;

impl Finished {
    /// Notes about the stack, for whoever reads the verdicts: that the lab is about others, and what it asked for that this
    /// one does not have.
    pub fn notes(&self, lab: &Definition) -> Vec<String> {
        let stack = self.stack;
        let mut notes = fallbacks(lab, self.mode, stack);
        if !lab.stacks.contains(&stack) {
            let stacks: Vec<String> = lab.stacks.iter().map(StackKind::to_string).collect();
            notes.push(format!("this lab is about {}: on {stack} its checks may fail", stacks.join(" and ")));
        }
        notes
    }
}

/// Which congestion controls have another in their place. A lab that asks for one that a stack lacks is run all the same:
/// to see the difference may be what somebody wants.
pub(in crate::lab) fn fallbacks(lab: &Definition, mode: Mode, stack: StackKind) -> Vec<String> {
    let runs_on_it = |host: &super::Host| mode == Mode::Sim || host.live == Kernel::Ours;
    let hosts = lab.nodes.iter().filter_map(|node| Some((&node.name, node.host()?)));
    let lacking = hosts.filter(|(_, host)| runs_on_it(host) && !stack.has(host.tcp.congestion));
    lacking
        .map(|(name, host)| {
            let (wanted, taken) = (host.tcp.congestion, Congestion::Reno);
            format!("{name} asks for {wanted}, which {stack} does not have: {taken} takes its place")
        })
        .collect()
}
