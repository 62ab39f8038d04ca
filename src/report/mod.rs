//! What a learner reads: packets and journals turned into text.
//!
//! Every function here is pure: values in, one `String` out, its lines no wider than asked for and without trailing
//! blanks. [`ladder()`] draws the packets between two nodes, [`layers()`] shows every header of one packet, [`programs()`]
//! what the applications saw, [`costs()`] what each conversation took, [`table()`] figures side by side, [`verdicts()`] the results of a lab's checks,
//! [`hanging()`] one sentence. What does not live here: printing, and judging (`check`).

mod costs;
mod ladder;
mod layers;
mod programs;
mod table;
mod text;
mod verdicts;

pub use costs::costs;
pub use ladder::{Ends, Ladder, Lane, Side, ladder};
pub use layers::{PacketView, layers};
pub use programs::programs;
pub use table::{Row, table};
pub use text::hanging;
pub use verdicts::{Outcome, VerdictLine, verdicts};

/// How text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
