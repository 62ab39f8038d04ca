//! What is hidden in a lab and what its requests' time is made of, as it is typed: beside [`raw`](super::raw).

use serde::Deserialize;
use toml::Spanned;

use super::faults::Layer;
use super::raw::RawSelection;

/// `[[fault]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawFault {
    pub(super) name: Spanned<String>,
    pub(super) explains: String,
    pub(super) turns_red: Spanned<String>,
    pub(super) layer: Layer,
    #[serde(default)]
    pub(super) shows_in: Vec<Layer>,
    pub(super) hop: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) shows_at: Vec<Spanned<String>>,
    pub(super) packet: Spanned<Vec<RawSelection>>,
    /// Laid over the document before any of it is read; only whether it sets anything is checked here.
    pub(super) set: Spanned<toml::Table>,
}

impl RawFault {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        self.name.get_ref()
    }
}

/// `[[budget]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawBudget {
    pub(super) name: Spanned<String>,
    pub(super) phases: Spanned<Vec<RawPhase>>,
}

/// `{ name = "DNS", from = "asked", to = "answered" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPhase {
    pub(super) name: String,
    pub(super) from: RawSelection,
    pub(super) to: RawSelection,
}
