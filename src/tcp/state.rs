//! The states of a connection, and the one table of their changes (RFC 9293 §3.3.2, Figure 5).
//!
//! Whatever happens to a connection is named by a [`Cause`]; only [`State::on`] knows where it leads. Nobody else writes
//! the state.

use crate::journal::TcpState;

/// What can change a connection's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The application opens actively: SYN goes out.
    ActiveOpen,
    /// A SYN arrives, at a listener or in a simultaneous open: SYN,ACK goes out.
    SynArrives,
    /// The answer to our SYN arrives.
    SynAckArrives,
    /// Our SYN,ACK is acknowledged.
    SynAcknowledged,
    /// The application closes: FIN follows what is queued.
    Close,
    /// The peer's FIN arrives, and all before it has.
    FinArrives,
    /// Our FIN is acknowledged.
    FinAcknowledged,
    /// Our FIN is acknowledged by the segment that carries the peer's FIN.
    FinAcknowledgedWithFin,
    /// Two maximum segment lifetimes have passed.
    TimeWaitOver,
    /// A reset, from either side, or nobody answers.
    End,
}

#[cfg(test)]
impl Cause {
    const ALL: [Cause; 10] = [
        Cause::ActiveOpen,
        Cause::SynArrives,
        Cause::SynAckArrives,
        Cause::SynAcknowledged,
        Cause::Close,
        Cause::FinArrives,
        Cause::FinAcknowledged,
        Cause::FinAcknowledgedWithFin,
        Cause::TimeWaitOver,
        Cause::End,
    ];
}

/// A connection's state, written only by [`State::on`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(TcpState);

impl State {
    /// A connection that is being made from nothing.
    pub(crate) const CLOSED: State = State(TcpState::Closed);
    /// A connection that a listener makes.
    pub(crate) const LISTEN: State = State(TcpState::Listen);

    /// The state itself.
    pub(crate) const fn get(self) -> TcpState {
        self.0
    }

    /// Follows the table; `None`, and no change, when the cause means nothing in this state.
    pub(crate) fn on(&mut self, cause: Cause) -> Option<(TcpState, TcpState)> {
        let from = self.0;
        let to = next(from, cause)?;
        self.0 = to;
        Some((from, to))
    }

    /// Whether both sides know each other's sequence numbers (RFC 9293 §3.10.7.4, "synchronized").
    pub(crate) const fn is_synchronized(self) -> bool {
        !matches!(self.0, TcpState::Closed | TcpState::Listen | TcpState::SynSent | TcpState::SynReceived)
    }

    /// Whether the peer may still send data.
    pub(crate) const fn may_receive(self) -> bool {
        matches!(self.0, TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2)
    }

    /// Whether segments may go out that take sequence space: data, or the FIN that ends it.
    pub(crate) const fn may_transmit(self) -> bool {
        matches!(
            self.0,
            TcpState::Established | TcpState::CloseWait | TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck
        )
    }
}

/// Figure 5 as a table: the state, what happens, the next state.
fn next(state: TcpState, cause: Cause) -> Option<TcpState> {
    use Cause as C;
    use TcpState as S;
    Some(match (state, cause) {
        (S::Closed, C::ActiveOpen) => S::SynSent,
        (S::Listen, C::SynArrives) => S::SynReceived,
        (S::SynSent, C::SynArrives) => S::SynReceived,
        (S::SynSent, C::SynAckArrives) => S::Established,
        (S::SynReceived, C::SynAcknowledged) => S::Established,
        (S::SynReceived | S::Established, C::Close) => S::FinWait1,
        (S::SynReceived | S::Established, C::FinArrives) => S::CloseWait,
        (S::CloseWait, C::Close) => S::LastAck,
        (S::FinWait1, C::FinAcknowledged) => S::FinWait2,
        (S::FinWait1, C::FinArrives) => S::Closing,
        (S::FinWait1, C::FinAcknowledgedWithFin) => S::TimeWait,
        (S::FinWait2, C::FinArrives) => S::TimeWait,
        (S::Closing, C::FinAcknowledged) => S::TimeWait,
        (S::LastAck, C::FinAcknowledged) => S::Closed,
        (S::TimeWait, C::TimeWaitOver) => S::Closed,
        (S::SynSent, C::Close) => S::Closed,
        (
            S::SynSent
            | S::SynReceived
            | S::Established
            | S::FinWait1
            | S::FinWait2
            | S::CloseWait
            | S::Closing
            | S::LastAck
            | S::TimeWait,
            C::End,
        ) => S::Closed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const STATES: [TcpState; 11] = [
        TcpState::Closed,
        TcpState::Listen,
        TcpState::SynSent,
        TcpState::SynReceived,
        TcpState::Established,
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::CloseWait,
        TcpState::Closing,
        TcpState::LastAck,
        TcpState::TimeWait,
    ];

    /// To be laid beside RFC 9293 Figure 5.
    #[test]
    fn the_graph_is_that_of_figure_5() {
        let mut graph = String::new();
        for from in STATES {
            for cause in Cause::ALL {
                if let Some(to) = next(from, cause) {
                    writeln!(graph, "{from:<12} -- {cause:?} --> {to}", from = from.to_string()).expect("a string");
                }
            }
        }
        insta::assert_snapshot!(graph);
    }

    #[test]
    fn every_state_but_the_first_can_be_reached_and_left() {
        for state in STATES {
            let reached = STATES.iter().any(|from| Cause::ALL.iter().any(|cause| next(*from, *cause) == Some(state)));
            // LISTEN is a listener's own state; its connections begin there.
            assert!(reached || state == TcpState::Listen, "{state} is never reached");
            assert!(Cause::ALL.iter().any(|cause| next(state, *cause).is_some()), "{state} is never left");
        }
    }

    #[test]
    fn each_state_knows_what_may_go_which_way() {
        let those =
            |holds: fn(State) -> bool| STATES.into_iter().filter(|state| holds(State(*state))).collect::<Vec<_>>();
        assert_eq!(those(State::is_synchronized), STATES[4..]);
        assert_eq!(
            those(State::may_receive),
            [TcpState::Established, TcpState::FinWait1, TcpState::FinWait2],
            "until the peer's FIN"
        );
        assert_eq!(
            those(State::may_transmit),
            [TcpState::Established, TcpState::FinWait1, TcpState::CloseWait, TcpState::Closing, TcpState::LastAck],
            "until our FIN is acknowledged"
        );
    }

    #[test]
    fn a_cause_that_means_nothing_changes_nothing() {
        let mut state = State::CLOSED;
        assert_eq!(state.on(Cause::FinArrives), None);
        assert_eq!(state.get(), TcpState::Closed);
    }
}
