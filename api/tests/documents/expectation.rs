//! What an example says it prints, with room for what differs from run to run.

use serde_json::Value;

/// Stands for anything.
const ANYTHING: &str = "…";

/// One example's output.
pub(crate) enum Expectation {
    Json(Value),
    Lines(Vec<String>),
}

impl Expectation {
    pub(crate) fn new(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(value) => Self::Json(value),
            Err(_) => Self::Lines(text.trim_end().lines().map(str::to_owned).collect()),
        }
    }

    /// `Err` tells the first difference.
    pub(crate) fn check(&self, printed: &str) -> Result<(), String> {
        match self {
            Self::Json(expected) => {
                let value = serde_json::from_str(printed)
                    .map_err(|error| format!("what it printed is no JSON: {error}"))?;
                check_value("$", expected, &value)
            }
            Self::Lines(expected) => {
                let lines: Vec<&str> = printed.trim_end().lines().collect();
                check_lines(expected, &lines)
            }
        }
    }
}

fn check_value(place: &str, expected: &Value, value: &Value) -> Result<(), String> {
    match (expected, value) {
        (Value::String(any), _) if any == ANYTHING => Ok(()),
        (Value::Object(expected), Value::Object(object)) => {
            for (name, wanted) in expected.iter().filter(|(name, _)| *name != ANYTHING) {
                let there = object
                    .get(name)
                    .ok_or(format!("{place}.{name} is missing"))?;
                check_value(&format!("{place}.{name}"), wanted, there)?;
            }
            let surplus = object.keys().find(|name| !expected.contains_key(*name));
            match surplus {
                Some(name) if !expected.contains_key(ANYTHING) => {
                    Err(format!("{place}.{name} was not expected"))
                }
                Some(_) | None => Ok(()),
            }
        }
        (Value::Array(expected), Value::Array(array)) => {
            let open = expected.last().is_some_and(|last| last == ANYTHING);
            let wanted = expected.len() - usize::from(open);
            if array.len() < wanted || (array.len() > wanted && !open) {
                return Err(format!(
                    "{place} has {} items, expected {wanted}",
                    array.len()
                ));
            }
            for (index, (wanted, item)) in expected[..wanted].iter().zip(array).enumerate() {
                check_value(&format!("{place}[{index}]"), wanted, item)?;
            }
            Ok(())
        }
        (Value::String(pattern), Value::String(text)) if matches(pattern, text) => Ok(()),
        _ if expected == value => Ok(()),
        _ => Err(format!("{place} is {value}, expected {expected}")),
    }
}

fn check_lines(expected: &[String], lines: &[&str]) -> Result<(), String> {
    let Some((first, rest)) = expected.split_first() else {
        return match lines.first() {
            None => Ok(()),
            Some(line) => Err(format!("{line:?} was not expected")),
        };
    };
    if first == ANYTHING {
        let found = (0..=lines.len()).any(|skip| check_lines(rest, &lines[skip..]).is_ok());
        return found
            .then_some(())
            .ok_or(format!("after any lines, {rest:?} never came"));
    }
    match lines.split_first() {
        Some((line, more)) if matches(first, line) => check_lines(rest, more),
        Some((line, _)) => Err(format!("{line:?}, expected {first:?}")),
        None => Err(format!("it ended where {first:?} was expected")),
    }
}

/// Whether a text is the pattern with something in place of each `…`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once(ANYTHING) {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| matches(after, &rest[at..]))
        }),
    }
}

#[test]
fn what_may_differ_is_let_pass_and_nothing_else() {
    for (expected, printed, fits) in [
        (r#"{"a": 1}"#, r#"{"a":1}"#, true),
        (r#"{"a": 1}"#, r#"{"a":2}"#, false),
        (r#"{"a": 1}"#, r#"{"a":1,"b":2}"#, false),
        (r#"{"a": 1, "…": "…"}"#, r#"{"a":1,"b":2}"#, true),
        (r#"{"a": 1, "…": "…"}"#, r#"{"b":2}"#, false),
        (r#"{"a": "…"}"#, r#"{"a":[1]}"#, true),
        (
            r#"{"a": "2026-…Z"}"#,
            r#"{"a":"2026-01-31T12:00:00Z"}"#,
            true,
        ),
        (
            r#"{"a": "2026-…Z"}"#,
            r#"{"a":"2025-01-31T12:00:00Z"}"#,
            false,
        ),
        (r"[1]", r"[1,2]", false),
        (r#"[1, "…"]"#, r"[1,2]", true),
        (r#"[2, "…"]"#, r"[1,2]", false),
        (r"{}", "nothing", false),
        ("id: …\ndata", "id: 7\ndata\n", true),
        ("id: …\ndata", "id: 7\nother\n", false),
        ("a\n…\nz", "a\nb\nc\nz", true),
        ("a\n…\nz", "a\nb\nc", false),
        ("", "", true),
        ("", "something", false),
    ] {
        let outcome = Expectation::new(expected).check(printed);
        assert_eq!(
            outcome.is_ok(),
            fits,
            "{expected} against {printed}: {outcome:?}"
        );
    }
}
