//! A simulated run: every node a stack, virtual time.

use super::steps::{self, Stage};
use super::{Finished, Mode, Options, RunError, Setting, own_medium};
use crate::app::{self, Calendar, Endpoint, Host, Resolver};
use crate::host::chance::with_seed;
use crate::lab::definition::Definition;
use crate::network::setup::{SIM_EPOCH_NS, node_ids};
use crate::network::{World, sim};
use crate::packet::Medium;

/// Runs `lab`; `note` says why it is not live.
pub(super) fn run(lab: &Definition, options: &Options, note: Option<String>) -> Result<Finished, RunError> {
    let medium = options.door.map_or(own_medium(lab), |door| door.medium());
    if medium == Medium::Ip && own_medium(lab) == Medium::Ethernet {
        return Err(RunError::NeedsEthernet(lab.id.clone()));
    }
    let setting = Setting::new(lab, options, Mode::Sim, medium);
    // Libraries that draw numbers of their own draw the same ones each time.
    let finished = with_seed(setting.seed, || play(lab, &setting))??;
    Ok(Finished { note, ..finished })
}

fn play(lab: &Definition, setting: &Setting<'_>) -> Result<Finished, RunError> {
    let recorder = setting.recorder(SIM_EPOCH_NS)?;
    let resolver: Resolver = setting.addresses().collect();
    let (outcome, ended) = sim::run(|clock| {
        let mut world = World::new(clock.clone(), Box::new(recorder.clone()));
        let mut hosts = Vec::new();
        for (id, node) in node_ids().zip(&lab.nodes) {
            let Some(host) = node.host() else {
                setting.forwarder(id, node, clock.now()).map(|forwarder| world.add_forwarder(forwarder));
                hosts.push(None);
                continue;
            };
            let handle = world.add_stack(setting.stack(id, node, host, clock.now()));
            let addresses: Vec<_> = node.addresses().map(|(address, _)| address).collect();
            let host = Host::new(Endpoint::Stack(handle), addresses, world.reporter(id));
            hosts.push(Some(host.in_run(app::Run { seed: setting.seed, calendar: Calendar::Virtual })));
        }
        setting.lay_links(&mut world);
        let stage = Stage { lab, mode: Mode::Sim, hosts, resolver, seed: setting.seed };
        (world, steps::play(stage))
    })?;
    setting.finish(&recorder, ended, outcome)
}
