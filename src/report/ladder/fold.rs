//! Long transfers taken together: what repeats is counted, what matters is kept.

use std::time::Duration;

use super::super::Style;
use super::label::Kind;
use super::rows::Row;
use crate::time::Instant;

/// A ladder with more rows than this is folded.
const MOST_ROWS: usize = 60;
/// Rows that stay in sight at the beginning and at the end of what is folded.
const KEPT_BEFORE: usize = 2;
const KEPT_AFTER: usize = 1;
/// Folding fewer than this saves nothing.
const FEWEST: usize = 4;
/// Nothing happening for longer than this is worth a line of its own.
pub(super) const SILENCE: Duration = Duration::from_millis(200);

/// What is drawn: one packet, or many.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Row(Row),
    Fold(Fold),
}

/// Packets taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) data: usize,
    pub(super) acks: usize,
    pub(super) duplicate_acks: usize,
    pub(super) datagrams: usize,
    /// The first and the last number at the vantage point.
    pub(super) numbers: Option<(u64, u64)>,
    pub(super) from: Instant,
    pub(super) to: Instant,
}

impl Item {
    /// When its first and its last packet were seen.
    pub(super) fn span(&self) -> (Instant, Instant) {
        match self {
            Item::Row(row) => (row.at, row.at),
            Item::Fold(fold) => (fold.from, fold.to),
        }
    }
}

/// The rows, runs of ordinary ones among them folded when there are many.
pub(super) fn fold(rows: Vec<Row>, style: Style) -> Vec<Item> {
    if style.verbose || rows.len() <= MOST_ROWS {
        return rows.into_iter().map(Item::Row).collect();
    }
    let mut items = Vec::new();
    let mut run: Vec<Row> = Vec::new();
    for row in rows {
        let continues = run.last().is_none_or(|last| row.at.since(last.at) <= SILENCE);
        if !(row.ordinary && continues) {
            close(&mut run, &mut items);
        }
        if row.ordinary {
            run.push(row);
        } else {
            items.push(Item::Row(row));
        }
    }
    close(&mut run, &mut items);
    items
}

fn close(run: &mut Vec<Row>, items: &mut Vec<Item>) {
    if run.len() < KEPT_BEFORE + FEWEST + KEPT_AFTER {
        items.extend(run.drain(..).map(Item::Row));
        return;
    }
    let after = run.split_off(run.len() - KEPT_AFTER);
    let middle = run.split_off(KEPT_BEFORE);
    items.extend(run.drain(..).map(Item::Row));
    items.extend(Fold::of(&middle).map(Item::Fold));
    items.extend(after.into_iter().map(Item::Row));
}

impl Fold {
    fn of(rows: &[Row]) -> Option<Fold> {
        let (first, last) = (rows.first()?, rows.last()?);
        let of = |kind: Kind| rows.iter().filter(|row| row.kind == kind).count();
        let mut numbers = rows.iter().filter_map(|row| row.number);
        let low = numbers.next();
        let high = numbers.next_back().or(low);
        Some(Fold {
            data: of(Kind::Data),
            acks: of(Kind::Ack),
            duplicate_acks: of(Kind::DuplicateAck),
            datagrams: of(Kind::Datagram),
            numbers: low.zip(high),
            from: first.at,
            to: last.at,
        })
    }
}
