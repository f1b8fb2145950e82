//! What is said when a request fails: RFC 9457's problem details.

use crate::schema::order::OrderView;
use crate::schema::text::{Count, Words};

object! {
    /// What is wrong with one field of a request.
    pub struct FieldErrorView {
        /// The field's name.
        pub field: Words,
        /// What is wrong with it.
        pub message: Words,
    }
    example {
        "field": "price",
        "message": "70150.505 is not a multiple of the tick size 0.01; the nearest valid prices are 70150.50 and 70150.51"
    }
}

object! {
    /// Why a request was not carried out (RFC 9457).
    pub struct ProblemView {
        /// A name for this kind of problem, the same every time.
        pub r#type: Words,
        /// This kind of problem in a few words, the same every time.
        pub title: Words,
        /// The answer's HTTP status.
        pub status: Count,
        /// What was wrong this time.
        pub detail: Words,
        /// This kind of problem in one word, for programs.
        pub code: Words,
        /// What is wrong with each field, where single fields are wrong.
        pub errors: Vec<FieldErrorView>,
        /// The order as it stands, where its state is what is in the way.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order: Option<Box<OrderView>>,
    }
    example {
        "type": "urn:shardbook:problem:invalid_order", "title": "The request is not valid",
        "status": 422, "detail": "price: 70150.505 is not a multiple of the tick size 0.01; the nearest valid prices are 70150.50 and 70150.51",
        "code": "invalid_order",
        "errors": [{
            "field": "price",
            "message": "70150.505 is not a multiple of the tick size 0.01; the nearest valid prices are 70150.50 and 70150.51"
        }]
    }
}
