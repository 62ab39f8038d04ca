//! A packet that must come out.
//!
//! It is looked for among those that have already come out and that no event has looked at, then waited for. Its own time is
//! compared, not the time at which it is looked at: so a packet that came too early is found out.

use std::time::Duration;

use super::runner::{Runner, Step};
use super::time::Due;
use super::verdict::Cause;
use crate::drill::language::script::{Body, PacketSpec};
use crate::drill::packets::compare::{Comparison, Difference, Exactness, Field, alike, compare};
use crate::drill::packets::glue::Glue;
use crate::drill::packets::read::Sent;
use crate::time::Instant;

/// How long after its time a packet is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Runner<'_> {
    pub(super) fn expect(&mut self, expected: &PacketSpec, due: Due) -> Step {
        if !self.connections.expects(expected) {
            return Err(self.wrong_script("there is no connection that could send this packet"));
        }
        let until = due.latest().map(|latest| latest.max(self.world.now()) + PATIENCE);
        let Some(first) = self.next_packet(expected, until)? else {
            return Err(self.nothing(expected, due));
        };
        let mut glue = Glue::new(first, octets(expected));
        while glue.is_incomplete() && !self.settings.strict_segments {
            let Some(next) = self.next_packet(expected, until)? else { break };
            if let Err(difference) = glue.add(next) {
                let parts = glue.parts().iter().map(|part| alike(&part.packet, expected, &[])).collect();
                let cause = Cause::Parts { expected: Box::new(expected.clone()), parts, difference };
                return self.packet_is_wrong(cause);
            }
        }
        match glue.into_one() {
            Some(sent) => self.compare(expected, sent, due),
            None => Err(self.nothing(expected, due)),
        }
    }

    /// The next packet of the connection under test, in the script's numbers but for its timestamps. Lets time pass until it
    /// comes, but not beyond `until`.
    fn next_packet(
        &mut self,
        expected: &PacketSpec,
        until: Option<Instant>,
    ) -> Result<Option<Sent>, super::runner::Stop> {
        loop {
            if let Some(mut sent) = self.world.next_sent(&mut self.connections) {
                self.connections.sent(expected, &sent);
                if let (Body::Tcp(tcp), Some(connection)) = (&mut sent.packet.body, self.connections.under_test()) {
                    *tcp = connection.to_script(tcp);
                }
                return Ok(Some(sent));
            }
            match self.next_wake() {
                Some(at) if until.is_none_or(|until| at <= until) => self.step_to(at)?,
                Some(_) | None => {
                    if let Some(until) = until {
                        self.world.move_to(until);
                    }
                    return Ok(None);
                }
            }
        }
    }

    fn nothing(&self, expected: &PacketSpec, due: Due) -> super::runner::Stop {
        self.failed(Cause::Nothing { expected: Box::new(expected.clone()), due, until: self.world.now() })
    }

    fn compare(&mut self, expected: &PacketSpec, sent: Sent, due: Due) -> Step {
        let how = Comparison { exactness: self.exactness, timestamps: self.timestamp_tolerance(due) };
        let tolerance = self.tolerance(due);
        let Some(connection) = self.connections.under_test() else {
            return Err(self.wrong_script("there is no connection that could send this packet"));
        };
        let mut actual = sent.packet.clone();
        if let (Body::Tcp(expected), Body::Tcp(actual)) = (&expected.body, &mut actual.body) {
            connection.learn_timestamps(expected, actual);
        }
        let mut differences = compare(expected, &actual, &sent, connection, how);
        if !due.is_met(sent.at, tolerance) {
            let actual = format!("{} (tolerance {:.6} s)", sent.at, tolerance.as_secs_f64());
            differences.push(Difference { field: Field::Time, expected: due.to_string(), actual });
        }
        if differences.is_empty() {
            return Ok(());
        }
        self.packet_is_wrong(Cause::Packet {
            expected: Box::new(expected.clone()),
            actual: Box::new(alike(&actual, expected, &differences)),
            sent_at: sent.at,
            why: sent.why,
            differences,
        })
    }

    fn packet_is_wrong(&mut self, cause: Cause) -> Step {
        if !self.settings.packets_are_not_fatal {
            return Err(self.failed(cause));
        }
        self.forgiven.push(self.failure(self.current, cause));
        Ok(())
    }

    /// What a tick of the timestamp clock is worth, and how far it may be off: as for times, but since the script's start,
    /// since that is what the clock counts.
    fn timestamp_tolerance(&self, due: Due) -> Option<(Duration, Duration)> {
        let tick = self.settings.timestamp_tick.filter(|_| self.exactness == Exactness::Strict)?;
        let at = due.earliest(self.world.now());
        Some((tick, self.settings.tolerance.after(Some(Instant::ZERO), at)))
    }
}

fn octets(packet: &PacketSpec) -> u32 {
    match &packet.body {
        Body::Tcp(tcp) => tcp.length,
        Body::Udp { .. } | Body::Icmp(_) => 0,
    }
}
