//! Between the rails: arrows, states, and what stands there when nothing flies.

use super::super::Style;
use super::super::text::{Line, Paint, clean, shorten, width, wrap};
use super::Side;
use super::label::Kind;
use super::rows::{End, Row, Wire};
use super::story::Entered;

/// The characters of a ladder.
pub(super) struct Glyphs {
    pub(super) rail: &'static str,
    pub(super) tail: [&'static str; 2],
    pub(super) plain: &'static str,
    pub(super) again: &'static str,
    pub(super) copy: &'static str,
    pub(super) head: [&'static str; 2],
    pub(super) lost: &'static str,
    pub(super) dots: &'static str,
    pub(super) arrow: &'static str,
    pub(super) separator: &'static str,
}

pub(super) const UNICODE: Glyphs = Glyphs {
    rail: "│",
    tail: ["├", "┤"],
    plain: "─",
    again: "═",
    copy: "┄",
    head: ["►", "◄"],
    lost: "✗",
    dots: "⋯",
    arrow: "→",
    separator: " · ",
};

pub(super) const ASCII: Glyphs = Glyphs {
    rail: "|",
    tail: ["|", "|"],
    plain: "-",
    again: "=",
    copy: ".",
    head: [">", "<"],
    lost: "x",
    dots: "...",
    arrow: "->",
    separator: "; ",
};

/// Draws what is between the rails, rails included.
#[derive(Clone, Copy)]
pub(super) struct Rails {
    pub(super) style: Style,
    pub(super) glyphs: &'static Glyphs,
    /// Columns from rail to rail, both included.
    pub(super) columns: usize,
}

impl Rails {
    /// States beside the rail of the node that entered them: in one line, or in two when they do not fit.
    pub(super) fn states(&self, [left, right]: &[Vec<Entered>; 2]) -> Vec<Line> {
        let [left, right] = [left, right].map(|states| {
            let names: Vec<String> = states.iter().map(name).collect();
            shorten(&names.join(", "), self.columns - 4, self.style)
        });
        let beside = |left: &str, right: &str| {
            let mut line = Line::default();
            line.push(Paint::Dim, self.glyphs.rail);
            line.push(Paint::Syn, format!(" {left}"));
            line.pad_to(self.columns - 2 - width(right));
            line.push(Paint::Syn, format!("{right} "));
            line.push(Paint::Dim, self.glyphs.rail);
            line
        };
        match (left.is_empty(), right.is_empty()) {
            (true, true) => Vec::new(),
            (false, false) if width(&left) + width(&right) + 6 > self.columns => {
                vec![beside(&left, ""), beside("", &right)]
            }
            (false, _) | (true, false) => vec![beside(&left, &right)],
        }
    }

    /// What each node has learnt, beside its rail: as much in a line as fits.
    pub(super) fn learnt(&self, told: &[(Side, String)]) -> Vec<Line> {
        let room = self.columns - 4;
        let mut lines = Vec::new();
        for side in [Side::Left, Side::Right] {
            let mut packed: Vec<String> = Vec::new();
            let texts = told.iter().filter(|(one, _)| *one == side).map(|(_, text)| clean(text, self.style));
            for text in texts.flat_map(|text| wrap(&text, room)) {
                match packed.last_mut() {
                    Some(line) if width(line) + width(self.glyphs.separator) + width(&text) <= room => {
                        line.push_str(self.glyphs.separator);
                        line.push_str(&text);
                    }
                    Some(_) | None => packed.push(text),
                }
            }
            lines.extend(packed.iter().map(|text| self.beside(side, text)));
        }
        lines
    }

    /// The two rails, and a text beside one of them.
    fn beside(&self, side: Side, text: &str) -> Line {
        let mut line = Line::default();
        line.push(Paint::Dim, self.glyphs.rail);
        line.pad_to(if side == Side::Left { 2 } else { self.columns - 2 - width(text) });
        line.push(Paint::Dim, text);
        line.pad_to(self.columns - 1);
        line.push(Paint::Dim, self.glyphs.rail);
        line
    }

    /// `├─ SYN seq=0 ───────►│` or its mirror image.
    pub(super) fn arrow(&self, row: &Row) -> Line {
        let inner = self.columns - 2;
        let wire = match row.wire {
            Wire::Plain => self.glyphs.plain,
            Wire::Again => self.glyphs.again,
            Wire::Copy => self.glyphs.copy,
        };
        // Beside the label: one dash and a blank before it, a blank, a dash and the head behind it.
        let room = inner.saturating_sub(5);
        let fitting = row.labels.iter().map(|label| clean(label, self.style)).find(|label| width(label) <= room);
        let label = fitting.unwrap_or_default();
        let reach = match row.end {
            End::Arrives | End::Refused => inner,
            End::Lost => (inner * 3 / 4).max(width(&label) + 5).min(inner),
        };
        let dashes = wire.repeat(reach.saturating_sub(width(&label) + 4));
        let (tail, head) = match row.from {
            Side::Left => (self.glyphs.tail[0], self.glyphs.head[0]),
            Side::Right => (self.glyphs.tail[1], self.glyphs.head[1]),
        };
        let (head, head_paint) = match row.end {
            End::Arrives => (head, paint(row)),
            End::Lost | End::Refused => (self.glyphs.lost, Paint::Lost),
        };
        let gap = " ".repeat(inner - reach);
        let mut pieces = vec![
            (Paint::Dim, tail.to_owned()),
            (paint(row), wire.to_owned()),
            (paint(row), format!(" {label} ")),
            (paint(row), dashes),
            (head_paint, head.to_owned()),
            (Paint::Plain, gap),
            (Paint::Dim, self.glyphs.rail.to_owned()),
        ];
        if row.from == Side::Right {
            pieces.reverse();
        }
        let mut line = Line::default();
        for (paint, text) in pieces {
            line.push(paint, text);
        }
        line
    }

    /// The two rails, and a text in the middle between them.
    pub(super) fn around(&self, text: &str) -> Line {
        let text = shorten(text, self.columns - 2, self.style);
        let left = (self.columns - 2 - width(&text)) / 2;
        let mut line = Line::default();
        line.push(Paint::Dim, self.glyphs.rail);
        line.push(Paint::Dim, " ".repeat(left));
        line.push(Paint::Dim, text);
        line.pad_to(self.columns - 1);
        line.push(Paint::Dim, self.glyphs.rail);
        line
    }
}

/// `FIN-WAIT-1`, and that its FIN is still to come when it is.
fn name(entered: &Entered) -> String {
    let state = entered.state;
    if entered.owes_fin { format!("{state} (FIN to come)") } else { state.to_string() }
}

fn paint(row: &Row) -> Paint {
    match (row.end, row.wire, row.kind) {
        (End::Lost, _, _) => Paint::Lost,
        (_, Wire::Again | Wire::Copy, _) => Paint::Again,
        (_, Wire::Plain, Kind::Syn) => Paint::Syn,
        (_, Wire::Plain, Kind::Fin) => Paint::Fin,
        (_, Wire::Plain, Kind::Rst) => Paint::Rst,
        (_, Wire::Plain, Kind::Data | Kind::Datagram) => Paint::Data,
        (_, Wire::Plain, Kind::Ack | Kind::DuplicateAck) => Paint::Ack,
        (_, Wire::Plain, Kind::Other) => Paint::Other,
    }
}
