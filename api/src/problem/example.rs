//! What each kind of problem looks like, for the documents.

use crate::problem::{Code, FieldError, Problem};

impl Problem {
    /// A problem of the kind, as it might be.
    #[must_use]
    pub fn example(code: Code) -> Self {
        let field = |field, message: &str| {
            let message = message.to_owned();
            vec![FieldError { field, message }]
        };
        let off_the_tick = "70150.505 is not a multiple of the tick size 0.01; the nearest valid \
                            prices are 70150.50 and 70150.51";
        if code == Code::InvalidOrder {
            return Self::invalid(field("price", off_the_tick));
        }
        let mut problem = Self::new(code, detail(code));
        if code == Code::InvalidParameter {
            problem.errors = field("limit", "must be a whole number from 1 to 1000");
        }
        problem
    }
}

/// What might have been wrong; where nothing stands here, the title says it.
const DETAILS: &[(Code, &str)] = &[
    (
        Code::MalformedJson,
        "expected `,` or `}` at line 1 column 24",
    ),
    (
        Code::IdempotencyKeyConflict,
        "the header says abc-123 and the body says abc-124",
    ),
    (
        Code::InvalidParameter,
        "limit: must be a whole number from 1 to 1000",
    ),
    (
        Code::Unauthenticated,
        "this needs a key, as X-API-Key or as Authorization: Bearer",
    ),
    (
        Code::Forbidden,
        "a key with the role reader can't do this, which needs the role trader",
    ),
    (Code::NotFound, "no call has this path"),
    (Code::OrderNotFound, "there is no order order-1"),
    (Code::InstrumentNotFound, "there is no instrument BTC-EUR"),
    (Code::UnknownInstrument, "there is no instrument BTC-EUR"),
    (
        Code::MethodNotAllowed,
        "this path has the methods GET, HEAD, OPTIONS",
    ),
    (
        Code::PayloadTooLarge,
        "the body has 70000 bytes, at most 65536 are read",
    ),
    (
        Code::UnsupportedMediaType,
        "the Content-Type is \"text/plain\"; send application/json",
    ),
    (
        Code::DuplicateOrderId,
        "an order order-1 stands or stood on BTC-USD",
    ),
    (Code::InstrumentExists, "BTC-USD exists, with other rules"),
    (
        Code::OrderIdAmbiguous,
        "order-1 stands on BTC-USD and ETH-USD; name the instrument",
    ),
    (
        Code::CommandRefused,
        "this request broke the instrument before and is not tried again",
    ),
    (
        Code::OrderNotOpen,
        "the order is in a final state and can't be changed",
    ),
    (
        Code::InstrumentHalted,
        "BTC-USD is halted and takes cancels only",
    ),
    (
        Code::PriceOutsideBand,
        "80000.00 is more than 10% away from the last trade at 70150.00",
    ),
    (
        Code::PostOnlyWouldCross,
        "the order is post_only and would trade at once",
    ),
    (Code::InvalidOrder, "price: is required"),
    (
        Code::IdempotencyKeyReused,
        "abc-123 was used by client-A with another request",
    ),
    (Code::RateLimited, "too many requests; come back in 1 s"),
    (Code::Overloaded, "the queue of BTC-USD is full"),
    (
        Code::ShardRestarting,
        "BTC-USD is being rebuilt; sending the request again is safe",
    ),
    (
        Code::JournalUnavailable,
        "there is no room for the journal's next file",
    ),
    (
        Code::DatabaseUnavailable,
        "the database is down or behind, and what was asked for is only there",
    ),
    (Code::DayNotClosed, "2026-01-31 has not ended in UTC"),
    (
        Code::NotAcceptable,
        "the answer can be application/json or text/csv",
    ),
    (Code::Internal, "the call broke down"),
];

fn detail(code: Code) -> &'static str {
    let mut details = DETAILS.iter();
    details
        .find_map(|(of, detail)| (*of == code).then_some(*detail))
        .unwrap_or(code.title())
}
