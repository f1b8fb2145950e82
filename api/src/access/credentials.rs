//! The key or ticket that a request shows.

use poem::http::header::AUTHORIZATION;
use poem::http::{HeaderMap, Uri};

use crate::problem::{Code, Problem};

/// The header that a key stands in, alone.
const API_KEY: &str = "x-api-key";

/// The query parameter that a ticket stands in.
const TICKET: &str = "ticket";

/// The one key that the headers show, if they show any. Other kinds of `Authorization` are
/// another's business, a proxy's say.
///
/// # Errors
/// [`Code::Unauthenticated`] for several that differ, or one that can't be read.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let plain = headers.get_all(API_KEY).iter().map(|value| {
        let text = value.to_str().map_err(|_| unreadable())?;
        Ok(text.trim())
    });
    let bearers = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let text = match value.to_str() {
            Ok(text) => text.trim(),
            Err(_) => return Some(Err(unreadable())),
        };
        let (scheme, token) = text.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Ok(token.trim()))
    });
    let mut found = None;
    for key in plain.chain(bearers) {
        let key = key?;
        if *found.get_or_insert(key) != key {
            let detail = "the headers show two different keys";
            return Err(Problem::new(Code::Unauthenticated, detail));
        }
    }
    Ok(found)
}

/// The ticket of a request's target.
pub(super) fn ticket(uri: &Uri) -> Option<&str> {
    let mut parameters = uri.query()?.split('&');
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name == TICKET).then_some(value)
    })
}

fn unreadable() -> Problem {
    Problem::new(Code::Unauthenticated, "the key is not made of letters")
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;
    use poem::http::header::HeaderName;
    use proptest::prelude::*;

    use super::*;

    type Headers<'a> = &'a [(&'static str, &'a [u8])];

    fn headers(all: Headers<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn a_key_stands_in_one_header_or_the_other() {
        let refused = Err(Code::Unauthenticated);
        let rows: &[(Headers<'_>, Result<Option<&str>, Code>)] = &[
            (&[], Ok(None)),
            (&[("x-api-key", b"k")], Ok(Some("k"))),
            (&[("x-api-key", b" k ")], Ok(Some("k"))),
            (&[("x-api-key", b"")], Ok(Some(""))),
            (&[("authorization", b"Bearer k")], Ok(Some("k"))),
            (&[("authorization", b"bEARER  k")], Ok(Some("k"))),
            (&[("authorization", b"Basic abc")], Ok(None)),
            (&[("authorization", b"Bearer")], Ok(None)),
            (&[("authorization", b"Bearerk")], Ok(None)),
            (
                &[("authorization", b"Basic abc"), ("x-api-key", b"k")],
                Ok(Some("k")),
            ),
            (
                &[("authorization", b"Bearer k"), ("x-api-key", b"k")],
                Ok(Some("k")),
            ),
            (
                &[("authorization", b"Bearer k"), ("x-api-key", b"j")],
                refused,
            ),
            (&[("x-api-key", b"k"), ("x-api-key", b"j")], refused),
            (&[("x-api-key", b"\xe9")], refused),
            (&[("authorization", b"Bearer \xe9")], refused),
        ];
        for (given, expected) in rows {
            let given = headers(given);
            let found = key(&given).map_err(|problem| problem.code());
            assert_eq!(found, *expected, "{given:?}");
        }
    }

    #[test]
    fn a_ticket_stands_in_the_query() {
        let rows = [
            ("/events", None),
            ("/events?ticket=t", Some("t")),
            ("/events?instrument=A&ticket=t&x", Some("t")),
            ("/events?nticket=t", None),
            ("/events?ticket", None),
        ];
        for (uri, expected) in rows {
            assert_eq!(ticket(&Uri::from_static(uri)), expected, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_headers_hold_is_a_key_or_refused(
            plain in proptest::option::of("[\\x20-\\x7e\\u{80}-\\u{ff}]{0,80}"),
            authorization in proptest::option::of("([Bb]earer|Basic)? ?[\\x20-\\x7e\\u{80}-\\u{ff}]{0,80}"),
        ) {
            let mut headers = HeaderMap::new();
            for (name, text) in [(API_KEY, &plain), (AUTHORIZATION.as_str(), &authorization)] {
                if let Some(text) = text
                    && let Ok(value) = HeaderValue::from_bytes(text.as_bytes())
                {
                    headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
                }
            }
            match key(&headers) {
                Ok(Some(found)) => {
                    let is_in = |text: &Option<String>| {
                        text.as_ref().is_some_and(|text| text.contains(found))
                    };
                    prop_assert!(is_in(&plain) || is_in(&authorization));
                }
                Ok(None) => prop_assert!(plain.is_none()),
                Err(problem) => prop_assert_eq!(problem.code(), Code::Unauthenticated),
            }
        }
    }
}
