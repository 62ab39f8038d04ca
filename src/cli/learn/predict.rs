//! Questions before the run, and their marks after it.
//!
//! Whoever has said what will happen looks at what does. An answer is read leniently, asked for once more when it is no
//! answer, and never demanded: Enter skips one, the end of input skips the rest.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use crate::check::{Amount, Answer, Measure};
use crate::cli::terminal::Terminal;
use crate::lab::Prediction;
use crate::report::{self, PredictionLine};

/// What a learner has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Said {
    /// As it was typed.
    pub(in crate::cli) text: String,
    /// What it means.
    pub(in crate::cli) amount: Amount,
}

/// Asks one question after the other. What is skipped is `None`.
///
/// # Errors
/// What the terminal says.
pub(in crate::cli) fn ask(
    questions: &[Prediction],
    input: &mut impl BufRead,
    out: &mut impl Write,
    terminal: Terminal,
) -> io::Result<Vec<Option<Said>>> {
    let style = terminal.style(false);
    let many = if questions.len() == 1 { "1 question" } else { &format!("{} questions", questions.len()) };
    let rule = format!("{many} before the run. Enter skips one, Ctrl-D the rest.");
    write!(out, "{}", report::paragraph(&rule, 0, &style))?;
    let mut all = Vec::new();
    let mut is_over = false;
    for (number, question) in (1..).zip(questions) {
        if is_over {
            all.push(None);
            continue;
        }
        writeln!(out)?;
        let text = format!("{number}. {}", question.ask);
        write!(out, "{}", terminal.bold(report::paragraph(&text, 0, &style).trim_end()))?;
        writeln!(out)?;
        let (said, ended) = one(&question.answer, input, out)?;
        is_over = ended;
        all.push(said);
    }
    writeln!(out)?;
    out.flush()?;
    Ok(all)
}

/// One answer, and whether the input has ended.
fn one(measure: &Measure, input: &mut impl BufRead, out: &mut impl Write) -> io::Result<(Option<Said>, bool)> {
    let wanted = expected(measure);
    for is_second in [false, true] {
        write!(out, "   {wanted}> ")?;
        out.flush()?;
        let mut line = Vec::new();
        // Octets, since a terminal may send any; and no more of them than an answer has.
        if io::Read::take(&mut *input, 4096).read_until(b'\n', &mut line)? == 0 {
            writeln!(out)?;
            return Ok((None, true));
        }
        let text: String = String::from_utf8_lossy(&line).trim().chars().filter(|char| !char.is_control()).collect();
        if text.is_empty() {
            return Ok((None, false));
        }
        if let Some(amount) = read(&text, measure) {
            return Ok((Some(Said { text, amount }), false));
        }
        let shown: String = text.chars().take(24).collect();
        match is_second {
            false => writeln!(out, "   `{shown}` is not {wanted}; once more, or Enter to skip")?,
            true => writeln!(out, "   `{shown}` is not {wanted}; skipped")?,
        }
    }
    Ok((None, false))
}

/// What a measure measures: a sum, what its parts do.
fn kind(measure: &Measure) -> &Measure {
    match measure {
        Measure::Sum(parts) => parts.first().map_or(measure, kind),
        other => other,
    }
}

/// What an answer looks like.
fn expected(measure: &Measure) -> &'static str {
    match kind(measure) {
        Measure::Count(_) | Measure::Member(..) | Measure::Sum(_) => "a number, such as 7",
        Measure::Bytes(_) | Measure::Octets(_) => "octets, such as 500 or 2 KB",
        Measure::Gap(..) => "a time, such as 5 ms or 1.5 s",
    }
}

const SMALL_NUMBERS: [&str; 13] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// What was meant by `text`; `None` when it is no answer. A time without a unit is milliseconds.
fn read(text: &str, measure: &Measure) -> Option<Amount> {
    let text = text.to_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '~' | '≈' | '=')).trim();
    let text = text.strip_prefix("about ").or_else(|| text.strip_prefix("none").map(|_| "0")).unwrap_or(text).trim();
    let word = text.split_whitespace().next().unwrap_or_default();
    let (digits, unit) = match SMALL_NUMBERS.iter().position(|name| *name == word) {
        Some(number) => (number.to_string(), text.get(word.len()..).unwrap_or_default().trim().to_owned()),
        None => {
            let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_')).unwrap_or(text.len());
            let (digits, unit) = text.split_at(end);
            (digits.to_owned(), unit.trim().trim_end_matches('.').to_owned())
        }
    };
    let (number, scale) = decimal(&digits)?;
    let whole = |factor: u128| {
        let product = number.checked_mul(factor)?;
        (product % scale == 0).then(|| u64::try_from(product / scale).ok()).flatten()
    };
    match kind(measure) {
        // Whatever is counted may be named.
        Measure::Count(_) | Measure::Member(..) | Measure::Sum(_) => {
            let is_noun = unit.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | ',' | '-'));
            let is_quantity = matches!(unit.as_str(), "ms" | "s" | "us" | "ns" | "kb" | "mb" | "%");
            (is_noun && !is_quantity).then(|| whole(1)).flatten().map(Amount::Count)
        }
        Measure::Bytes(_) | Measure::Octets(_) => {
            let factor = match unit.as_str() {
                "" | "b" | "byte" | "bytes" | "octet" | "octets" => 1,
                "k" | "kb" => 1_000,
                "m" | "mb" => 1_000_000,
                "kib" => 1 << 10,
                "mib" => 1 << 20,
                _ => return None,
            };
            whole(factor).map(Amount::Octets)
        }
        Measure::Gap(..) => {
            let factor = match unit.as_str() {
                "ns" | "nanosecond" | "nanoseconds" => 1,
                "us" | "µs" | "μs" | "microsecond" | "microseconds" => 1_000,
                "" | "ms" | "msec" | "millisecond" | "milliseconds" => 1_000_000,
                "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
                "min" | "minute" | "minutes" => 60_000_000_000,
                _ => return None,
            };
            whole(factor).map(|nanos| Amount::Time(Duration::from_nanos(nanos)))
        }
    }
}

/// `1,448` is a thousand and more, `0.25` and `0,25` are a quarter: digits without the point, and what to divide them by.
fn decimal(text: &str) -> Option<(u128, u128)> {
    let text = text.replace('_', "");
    let is_grouped = |text: &str| {
        let mut groups = text.split(',');
        let first = groups.next().unwrap_or_default();
        (1..=3).contains(&first.len()) && first != "0" && groups.all(|group| group.len() == 3)
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let (whole, fraction) = match whole.split_once(',') {
        None => (whole.to_owned(), fraction),
        Some(_) if is_grouped(whole) => (whole.replace(',', ""), fraction),
        Some((before, after)) if fraction.is_empty() => (before.to_owned(), after),
        Some(_) => return None,
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(&whole) || !is_digits(fraction) || fraction.len() > 12 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some((format!("{whole}{fraction}").parse().ok()?, scale))
}

/// Whether what was said is right: a count exactly, octets and times to a fifth.
pub(in crate::cli) fn is_right(said: Amount, is: Amount) -> bool {
    let to_a_fifth = |said: u128, is: u128| said.abs_diff(is) * 5 <= is;
    match (said, is) {
        (Amount::Count(said), Amount::Count(is)) => said == is,
        (Amount::Octets(said), Amount::Octets(is)) => to_a_fifth(said.into(), is.into()),
        (Amount::Time(said), Amount::Time(is)) => to_a_fifth(said.as_nanos(), is.as_nanos()),
        (Amount::Count(_) | Amount::Octets(_) | Amount::Time(_), _) => false,
    }
}

/// An amount as people say it.
pub(in crate::cli) fn told(amount: Amount) -> String {
    match amount {
        Amount::Count(count) => report::grouped(count),
        Amount::Octets(1) => "1 octet".to_owned(),
        Amount::Octets(octets) => format!("{} octets", report::grouped(octets)),
        Amount::Time(span) => report::span(span),
    }
}

/// A question with both answers, for the report.
pub(in crate::cli) fn line(
    question: &Prediction,
    said: Option<&Said>,
    answer: &Result<Answer, String>,
) -> PredictionLine {
    let line = PredictionLine {
        ask: question.ask.clone(),
        said: said.map(|said| said.text.clone()),
        is_right: None,
        answer: String::new(),
        packets: Vec::new(),
        vantage: String::new(),
        filter: None,
    };
    match answer {
        Err(why) => PredictionLine { answer: format!("nothing: {why}"), ..line },
        Ok(answer) => PredictionLine {
            is_right: said.map(|said| is_right(said.amount, answer.amount)),
            answer: told(answer.amount),
            packets: answer.packets.clone(),
            vantage: answer.vantage.clone(),
            filter: answer.filter.clone(),
            ..line
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::check::{Only, Selected, Selection};
    use crate::filter::{Filter, Names};
    use crate::journal::NodeId;

    use super::*;

    fn selection() -> Selection {
        let filter = Filter::parse("tcp", &Names::default()).expect("a filter");
        Selection { name: "tcp".to_owned(), what: Selected::Packets(filter), at: None, only: Only::All, nth: None }
    }

    fn count() -> Measure {
        Measure::Count(selection())
    }

    fn time() -> Measure {
        Measure::Gap(selection(), selection())
    }

    const PLAIN: Terminal = Terminal { is_terminal: false, colour: false, width: 80, unicode: true };

    fn asked(measures: &[Measure], typed: &str) -> (Vec<Option<Amount>>, String) {
        let question =
            |measure: &Measure| Prediction { ask: "How?".to_owned(), answer: measure.clone(), at: NodeId(0) };
        let questions: Vec<Prediction> = measures.iter().map(question).collect();
        let mut out = Vec::new();
        let said = ask(&questions, &mut typed.as_bytes(), &mut out, PLAIN).expect("a text can be read");
        let amounts = said.into_iter().map(|said| said.map(|said| said.amount)).collect();
        (amounts, String::from_utf8(out).expect("it is text"))
    }

    #[test]
    fn answers_are_read_leniently_and_never_wrongly() {
        let millis = |millis| Some(Amount::Time(Duration::from_millis(millis)));
        let table = [
            ("3", count(), Some(Amount::Count(3))),
            ("three", count(), Some(Amount::Count(3))),
            ("~ 3 packets", count(), Some(Amount::Count(3))),
            ("1,448", count(), Some(Amount::Count(1448))),
            ("none", count(), Some(Amount::Count(0))),
            ("3.5", count(), None),
            ("3 ms", count(), None),
            ("-3", count(), None),
            ("many", count(), None),
            ("1460", Measure::Bytes(selection()), Some(Amount::Octets(1460))),
            ("1.46 KB", Measure::Bytes(selection()), Some(Amount::Octets(1460))),
            ("2 KiB", Measure::Bytes(selection()), Some(Amount::Octets(2048))),
            ("12 apples", Measure::Bytes(selection()), None),
            ("2,392", Measure::Octets(selection()), Some(Amount::Octets(2392))),
            ("245", time(), millis(245)),
            ("about 245 ms", time(), millis(245)),
            ("0.245s", time(), millis(245)),
            (".25 s", time(), millis(250)),
            ("0,25 sec.", time(), millis(250)),
            ("two seconds", time(), millis(2_000)),
            ("1 fortnight", time(), None),
            (".", time(), None),
            ("99999999999999999999999999999999999999999999", time(), None),
        ];
        for (typed, measure, amount) in table {
            assert_eq!(read(typed, &measure), amount, "{typed}");
        }
    }

    #[test]
    fn a_wrong_answer_is_asked_for_once_more_and_then_skipped() {
        let (said, told) = asked(&[count(), count(), count()], "x\n4\ny\nz\n5\n");
        assert_eq!(said, [Some(Amount::Count(4)), None, Some(Amount::Count(5))]);
        assert!(told.contains("`x` is not a number, such as 7; once more, or Enter to skip"), "{told}");
        assert!(told.contains("`z` is not a number, such as 7; skipped"), "{told}");
    }

    #[test]
    fn enter_skips_one_and_the_end_of_input_the_rest() {
        let (said, told) = asked(&[count(), time(), count()], "\n40");
        assert_eq!(said, [None, Some(Amount::Time(Duration::from_millis(40))), None]);
        assert!(told.starts_with("3 questions before the run."), "{told}");
        let (said, told) = asked(&[count(), count()], "");
        assert_eq!((said, told.matches("> ").count()), (vec![None, None], 1), "{told}");
    }

    #[test]
    fn counts_are_exact_and_times_good_to_a_fifth() {
        let time = |millis| Amount::Time(Duration::from_millis(millis));
        for (said, is, right) in [
            (Amount::Count(3), Amount::Count(3), true),
            (Amount::Count(3), Amount::Count(4), false),
            (Amount::Octets(1200), Amount::Octets(1000), true),
            (Amount::Octets(1201), Amount::Octets(1000), false),
            (Amount::Octets(1), Amount::Octets(0), false),
            (time(250), time(296), true),
            (time(200), time(296), false),
            (Amount::Count(3), time(3), false),
        ] {
            assert_eq!(is_right(said, is), right, "{said:?} {is:?}");
        }
    }
}
