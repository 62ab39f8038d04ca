//! When an instance counts as well: what one check says is not believed at once, in either direction.

use std::time::Duration;

use serde::Deserialize;

use crate::app::Span;

/// How instances are checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checks {
    /// What is asked for; a status of 200 to 299 is good.
    #[serde(default = "health")]
    pub(super) path: String,
    /// The time from one check to the next.
    #[serde(default = "five_seconds")]
    pub(super) every: Span,
    /// How long an answer is waited for, connecting included.
    #[serde(default = "one_second")]
    pub(super) timeout: Span,
    /// After how many bad checks in a row an instance is taken out.
    #[serde(default = "two")]
    pub(super) falls: u32,
    /// After how many good ones it is put back.
    #[serde(default = "two")]
    pub(super) rises: u32,
    /// Whether an instance counts as well until it was checked: nobody would be reached otherwise until the first checks. One
    /// that is not trusted is given out once it has been found well.
    #[serde(default = "yes")]
    pub(super) trusted: bool,
}

fn health() -> String {
    "/health".to_owned()
}

fn five_seconds() -> Span {
    Span::from_duration(Duration::from_secs(5))
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn two() -> u32 {
    2
}

fn yes() -> bool {
    true
}

/// What is known of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Health {
    is_well: bool,
    /// Checks in a row that spoke against it.
    contrary: u32,
}

impl Health {
    /// One that was not checked yet; without checks all count as well.
    pub(super) fn unchecked(checks: Option<&Checks>) -> Health {
        Health { is_well: checks.is_none_or(|checks| checks.trusted), contrary: 0 }
    }

    pub(super) fn is_well(self) -> bool {
        self.is_well
    }

    /// Its word in the journal.
    pub(super) fn name(self) -> &'static str {
        if self.is_well { "healthy" } else { "unhealthy" }
    }

    /// Learns of a check; `true` when that turned it.
    pub(super) fn learn(&mut self, is_good: bool, checks: &Checks) -> bool {
        if is_good == self.is_well {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let enough = if self.is_well { checks.falls } else { checks.rises };
        if self.contrary < enough.max(1) {
            return false;
        }
        *self = Health { is_well: is_good, contrary: 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_several_checks_in_a_row_to_turn_an_instance() {
        let checks: Checks = toml::from_str("falls = 2\nrises = 3").expect("the rest is filled in");
        let mut health = Health::unchecked(Some(&checks));
        // One bad check is none; two are; three good ones bring it back.
        let told = [true, false, true, false, false, true, true, false, true, true, true];
        let well: Vec<bool> = told.iter().map(|good| (health.learn(*good, &checks), health.is_well()).1).collect();
        assert_eq!(well, [true, true, true, true, false, false, false, false, false, false, true]);
    }

    #[test]
    fn who_is_not_trusted_counts_as_well_after_good_checks_only() {
        let checks: Checks = toml::from_str("trusted = false").expect("the rest is filled in");
        let mut health = Health::unchecked(Some(&checks));
        assert_eq!(
            [false, true, true].map(|good| (health.learn(good, &checks), health.is_well()).1),
            [false, false, true]
        );
        assert!(Health::unchecked(None).is_well());
    }

    #[test]
    fn a_count_of_nothing_is_a_count_of_one() {
        let checks: Checks = toml::from_str("falls = 0\nrises = 0").expect("the rest is filled in");
        let mut health = Health::unchecked(Some(&checks));
        assert!(health.learn(false, &checks) && !health.is_well());
        assert!(health.learn(true, &checks) && health.is_well());
    }
}
