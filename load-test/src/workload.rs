//! What to send: a file's orders, over and over, each with an id of its own, and cancels between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::value::RawValue;

/// How many requests before its cancel an order was placed: long enough that it is on the book,
/// or on its way there.
const CANCEL_DISTANCE: u64 = 1_000;

/// A run's requests by their number, from 0; without end.
#[derive(Debug)]
pub(crate) struct Workload {
    /// What the ids begin with, so that two runs against one exchange have none in common.
    run: String,
    templates: Vec<Template>,
    instruments: BTreeSet<String>,
    cancels: Percent,
}

/// A share of the requests, at most half of them: then each cancel has an order of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Percent(u8);

impl std::str::FromStr for Percent {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let percent = text.parse().context("not a whole number")?;
        ensure!(percent <= 50, "above 50");
        Ok(Self(percent))
    }
}

/// An order without its id and its key.
#[derive(Debug)]
struct Template {
    keyed: bool,
    /// The JSON after the ids, its closing brace included.
    rest: String,
}

/// What one request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Place the order of this number.
    Place,
    /// Cancel the order of that number.
    Cancel(u64),
}

impl Workload {
    /// Of a file with one JSON object a line, each an order; empty lines are left out, the
    /// orders' own ids and keys are replaced.
    ///
    /// # Errors
    /// When the file can't be read, holds no order, or holds something else.
    pub(crate) fn read(path: &Path, run: String, cancels: Percent) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::of_lines(&text, run, cancels).with_context(|| path.display().to_string())
    }

    fn of_lines(text: &str, run: String, cancels: Percent) -> Result<Self> {
        let mut instruments = BTreeSet::new();
        let templates = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| {
                Template::of_line(line, &mut instruments)
                    .with_context(|| format!("line {}", number + 1))
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(!templates.is_empty(), "no order in it");
        Ok(Self {
            run,
            templates,
            instruments,
            cancels,
        })
    }

    /// Every instrument that an order names.
    pub(crate) const fn instruments(&self) -> &BTreeSet<String> {
        &self.instruments
    }

    /// What the request of this number asks for.
    pub(crate) fn action(&self, number: u64) -> Action {
        // Every hundred requests are like the last, and of two neighbours one at most is a cancel:
        // so the one before what stands a distance back is none.
        match number.checked_sub(CANCEL_DISTANCE + 1) {
            Some(target) if self.is_cancel(number) => Action::Cancel(target),
            Some(_) | None => Action::Place,
        }
    }

    fn is_cancel(&self, number: u64) -> bool {
        let cancels_among_first = |count: u64| count * u64::from(self.cancels.0) / 100;
        let place = number % 100;
        cancels_among_first(place + 1) > cancels_among_first(place)
    }

    /// Appends an order as JSON, as `POST /orders` takes it.
    pub(crate) fn write_order(&self, number: u64, out: &mut String) {
        let Some(template) = usize::try_from(number)
            .ok()
            .and_then(|number| self.templates.get(number % self.templates.len()))
        else {
            return;
        };
        out.push_str("{\"order_id\":\"");
        self.write_order_id(number, out);
        if template.keyed {
            out.push_str("\",\"idempotency_key\":\"");
            self.write_order_id(number, out);
        }
        out.push_str("\",");
        out.push_str(&template.rest);
    }

    /// Appends an order's id.
    pub(crate) fn write_order_id(&self, number: u64, out: &mut String) {
        // Writing to a string does not fail.
        let _ = write!(out, "{}-{number}", self.run);
    }
}

impl Template {
    fn of_line(line: &str, instruments: &mut BTreeSet<String>) -> Result<Self> {
        let mut order: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line)?;
        order.remove("order_id");
        let keyed = order.remove("idempotency_key").is_some();
        ensure!(!order.is_empty(), "an order without any field");
        if let Some(instrument) = order.get("instrument") {
            instruments.insert(serde_json::from_str(instrument.get())?);
        }
        let text = serde_json::to_string(&order)?;
        let rest = text.strip_prefix('{').context("an object begins so")?;
        Ok(Self {
            keyed,
            rest: rest.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn workload(lines: &str, cancels: u8) -> Workload {
        Workload::of_lines(lines, "run".to_owned(), Percent(cancels)).unwrap()
    }

    fn order(workload: &Workload, number: u64) -> Value {
        let mut text = String::new();
        workload.write_order(number, &mut text);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn orders_come_again_with_ids_of_their_own() {
        let workload = workload(
            "{\"order_id\": \"a\", \"price\": 1.10, \"idempotency_key\": \"k\"}\n\n{\"quantity\": \"2\"}\n",
            0,
        );
        let keyed = serde_json::json!(
            {"order_id": "run-2", "idempotency_key": "run-2", "price": 1.10}
        );
        assert_eq!(order(&workload, 2), keyed);
        let plain = serde_json::json!({"order_id": "run-3", "quantity": "2"});
        assert_eq!(order(&workload, 3), plain);
    }

    #[test]
    fn each_instrument_is_told_once() {
        let lines = r#"{"instrument": "B"}
            {"instrument": "A"}
            {"instrument": "B"}"#;
        let told = workload(lines, 0).instruments().clone();
        assert_eq!(told, ["A".to_owned(), "B".to_owned()].into());
    }

    #[test]
    fn each_cancel_is_for_an_order_that_no_other_cancels() {
        for percent in 1..=50 {
            let workload = workload("{\"price\": 1}", percent);
            let mut cancelled = BTreeSet::new();
            for number in 0..10_000 {
                if let Action::Cancel(target) = workload.action(number) {
                    assert_eq!(workload.action(target), Action::Place);
                    assert!(cancelled.insert(target));
                }
            }
            // Of the requests from the first that can be one.
            let expected = 9_000 * usize::from(percent) / 100;
            assert!(
                cancelled.len().abs_diff(expected) <= 1,
                "{percent} percent: {} cancels",
                cancelled.len()
            );
        }
    }

    #[test]
    fn what_is_no_order_is_told_with_its_line() {
        let told = |text: &str| {
            let error = Workload::of_lines(text, String::new(), Percent(0)).unwrap_err();
            format!("{error:#}")
        };
        assert_eq!(told("\n"), "no order in it");
        assert!(told("{\"price\": 1}\n[]").starts_with("line 2: "));
        assert!(told("{\"order_id\": 1}").contains("without any field"));
    }
}
