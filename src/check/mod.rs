//! Verdicts over packets and events.
