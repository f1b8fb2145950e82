//! The kinds of problem there are.

use poem::http::StatusCode;

/// Declares the kinds of problem: the variant, its word, its status and its title.
macro_rules! codes {
    ($($(#[$doc:meta])+ $code:ident = $word:literal, $status:ident, $title:literal;)+) => {
        /// What kind of problem it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])+ $code,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The kind in one word, for programs.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$code => $word,)+ }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }

            /// The kind in a few words, for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON";
    /// The body and the header name different keys.
    IdempotencyKeyConflict = "idempotency_key_conflict", BAD_REQUEST, "Two different idempotency keys";
    /// A query parameter or header is not what it should be.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A parameter is not valid";
    /// Nobody knows who asks, and it matters.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A key is needed";
    /// The caller may not do this.
    Forbidden = "forbidden", FORBIDDEN, "Not allowed";
    /// There is no such path, or nothing there.
    NotFound = "not_found", NOT_FOUND, "Nothing is here";
    /// There is no such order.
    OrderNotFound = "order_not_found", NOT_FOUND, "There is no such order";
    /// A read names an instrument that does not exist.
    InstrumentNotFound = "unknown_instrument", NOT_FOUND, "There is no such instrument";
    /// The path does not have the method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path does not have this method";
    /// The client accepts no form that the answer can have.
    NotAcceptable = "not_acceptable", NOT_ACCEPTABLE, "The answer has no such form";
    /// The day that is to be settled has not been closed.
    DayNotClosed = "day_not_closed", CONFLICT, "The day is not closed";
    /// The body is too large.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not said to be JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be application/json";
    /// The order's id was used before.
    DuplicateOrderId = "duplicate_order_id", CONFLICT, "The order id was used before";
    /// There is an instrument of this name.
    InstrumentExists = "instrument_exists", CONFLICT, "There is such an instrument already";
    /// The id stands on several instruments.
    OrderIdAmbiguous = "order_id_ambiguous", CONFLICT, "The order id stands on several instruments";
    /// The command crashed its shard before.
    CommandRefused = "command_refused", CONFLICT, "The request broke the instrument before";
    /// The order is in a final state.
    OrderNotOpen = "order_not_open", CONFLICT, "The order is not open";
    /// The instrument is halted.
    InstrumentHalted = "instrument_halted", CONFLICT, "The instrument is halted";
    /// The price is too far from the last trade's.
    PriceOutsideBand = "price_outside_band", CONFLICT, "The price is outside of the price band";
    /// A `post_only` order would have traded.
    PostOnlyWouldCross = "post_only_would_cross", CONFLICT, "The order would trade at once";
    /// The request is not a valid order.
    InvalidOrder = "invalid_order", UNPROCESSABLE_ENTITY, "The request is not valid";
    /// An order names an instrument that does not exist.
    UnknownInstrument = "unknown_instrument", UNPROCESSABLE_ENTITY, "There is no such instrument";
    /// The key was used before with another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used before with another request";
    /// The caller does more than its share.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// A queue is full.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much at once";
    /// The instrument's shard is being rebuilt.
    ShardRestarting = "shard_restarting", SERVICE_UNAVAILABLE, "The instrument is being restarted";
    /// Nothing can be made durable.
    JournalUnavailable = "journal_unavailable", SERVICE_UNAVAILABLE, "The journal can't take orders";
    /// The database is needed and is not there.
    DatabaseUnavailable = "database_unavailable", SERVICE_UNAVAILABLE, "The database can't answer";
    /// A bug. What was asked may or may not have been done.
    Internal = "internal_error", INTERNAL_SERVER_ERROR, "Something is broken";
}
