//! What a learner reads: packets and journals turned into text.
//!
//! Every function here is pure: values in, one `String` out, its lines no wider than asked for and without trailing
//! blanks. [`ladder()`] draws the packets between two nodes, [`pairs()`] says which two, [`layers()`] shows every header
//! of one packet, [`programs()`] what the applications saw, [`Storyteller`] what happened at a node between its packets, [`costs()`] what each conversation took, [`predictions()`] what
//! was guessed and what is so, [`table()`] figures side by side, [`verdicts()`] the results of a lab's checks, [`hanging()`] one sentence. What does
//! not live here: printing, and judging (`check`).

mod costs;
mod evidence;
mod figures;
mod ladder;
mod layers;
#[cfg(feature = "cli")]
mod page;
mod pairs;
mod predictions;
mod programs;
mod said;
mod storyteller;
mod table;
mod text;
mod verdicts;

pub use costs::costs;
pub use figures::{grouped, span};
pub use ladder::{Ends, Ladder, Lane, Side, ladder};
pub use layers::{PacketView, layers};
#[cfg(feature = "cli")]
pub use page::page;
pub use pairs::pairs;
pub use predictions::{PredictionLine, predictions};
pub use programs::programs;
pub use storyteller::Storyteller;
pub use table::{Row, table};
pub use text::{hanging, paragraph};
pub use verdicts::{Outcome, VerdictLine, verdicts};

/// How text is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Columns of the widest line; below 80 counts as 80, above 140 as 140.
    pub width: usize,
    /// Whether ANSI colours are used. Nothing is said by colour alone.
    pub color: bool,
    /// Whether to keep to ASCII: `->`, `x`, `=`.
    pub ascii: bool,
    /// Whether to show all: windows, every packet of a long transfer, what stacks learnt at each.
    pub verbose: bool,
}

impl Style {
    /// Uncoloured Unicode of this width.
    pub const fn plain(width: usize) -> Style {
        Style { width, color: false, ascii: false, verbose: false }
    }

    /// The width within its bounds.
    fn columns(self) -> usize {
        self.width.clamp(80, 140)
    }
}
