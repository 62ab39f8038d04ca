//! A thousand connections across ten routers in a row, thirty nodes in all, in virtual time: how many packets a second the
//! network moves.
//!
//! ```sh
//! cargo run --release --example many_nodes
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wireglass::capture::{Record, Witness};
use wireglass::journal::{Entry, Event, NodeId};
use wireglass::network::{Clock, World, sim};

#[path = "../tests/support/chain.rs"]
mod chain;

/// Counts packets that arrive anywhere, or does not listen.
struct Counter(Option<Arc<AtomicU64>>);

impl Witness for Counter {
    fn listens(&self) -> bool {
        self.0.is_some()
    }

    fn packet(&mut self, _: NodeId, _: Record) {}

    fn event(&mut self, entry: Entry) {
        if let (Event::PacketArrived { .. }, Some(count)) = (&entry.event, &self.0) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settle(&mut self) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let hops = Arc::new(AtomicU64::new(0));
    for (what, witness) in [("told to a witness", Some(hops.clone())), ("told to nobody", None)] {
        let begun = Instant::now();
        let (good, end) = sim::run(|clock: &Clock| {
            let mut world = World::new(clock.clone(), Box::new(Counter(witness)));
            let chain = chain::build(&mut world, clock, &chain::wire());
            (world, async move { chain::thousand_connections(&chain).await })
        })?;
        let (took, good) = (begun.elapsed(), good?);
        let hops = hops.load(Ordering::Relaxed);
        let per_second = u128::from(hops) * 1_000 / took.as_millis().max(1);
        println!(
            "{good} of 1000 connections as sent, {hops} hops in {} ms: {per_second} a second, {what}",
            took.as_millis()
        );
        println!("    virtual time: {end} s");
    }
    Ok(())
}
