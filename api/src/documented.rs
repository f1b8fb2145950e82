//! Failures as the OpenAPI document lists them: each call names those it can have.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;

use crate::problem::{CONTENT_TYPE, Code, Problem};
use crate::schema::problem::ProblemView;

/// What every call that takes a key can have: no key; a role that is too small, another's client, a
/// foreign Host or Origin; too many requests.
const ALWAYS: &[Code] = &[Code::Unauthenticated, Code::Forbidden, Code::RateLimited];

/// The kinds of problem that a call can have.
pub(crate) trait Failures: Send + Sync + 'static {
    /// Which.
    const CODES: &'static [Code];
}

/// A problem of a call, which documents all that the call can have.
#[derive(Debug)]
pub(crate) struct Failure<F> {
    problem: Problem,
    kinds: PhantomData<fn() -> F>,
}

impl<F> From<Problem> for Failure<F> {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            kinds: PhantomData,
        }
    }
}

impl<F> From<Failure<F>> for poem::Error {
    fn from(failure: Failure<F>) -> Self {
        failure.problem.into()
    }
}

impl<F: Failures> ApiResponse for Failure<F> {
    fn meta() -> MetaResponses {
        let codes = F::CODES.iter().chain(ALWAYS);
        let mut by_status = BTreeMap::<u16, Vec<String>>::new();
        for code in codes {
            let words = by_status.entry(code.status().as_u16()).or_default();
            let word = format!("`{}`: {}", code.word(), code.title());
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let responses = by_status.into_iter().map(|(status, words)| MetaResponse {
            description: listed(&words),
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: CONTENT_TYPE,
                schema: ProblemView::schema_ref(),
            }],
            headers: Vec::new(),
        });
        MetaResponses {
            responses: responses.collect(),
        }
    }

    fn register(registry: &mut Registry) {
        ProblemView::register(registry);
    }
}

/// One as it is, several as a list in Markdown.
fn listed(words: &[String]) -> &'static str {
    let text = match words {
        [one] => one.clone(),
        several => format!("- {}", several.join("\n- ")),
    };
    // The document is made a few times in a process's life; its words stay.
    text.leak()
}

/// Declares the kinds of problem that a call can have.
macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident: $($code:ident),+;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl $crate::documented::Failures for $name {
                const CODES: &'static [$crate::problem::Code] = &[$($crate::problem::Code::$code),+];
            }
        )+
    };
}
