//! Which order a problem is about, for the log.

use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Level;

use shardbook_engine::id::{ClientId, OrderId};

use crate::activity::ORDERS;
use crate::problem::Problem;
use crate::request::OrderText;

/// Which order, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    order_id: Option<OrderId>,
    client_id: Option<ClientId>,
}

/// A response whose problem was told of in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told;

/// The names in an order that may be anything else, too.
#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow, default)]
    order_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    client_id: Option<&'a RawValue>,
}

impl About {
    /// What its client calls it.
    #[must_use]
    pub fn order_id(&self) -> Option<&str> {
        self.order_id.as_ref().map(OrderId::as_str)
    }

    /// Whose it is.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().map(ClientId::as_str)
    }

    /// What can be made out of an order's text that is no valid order.
    fn read(text: &str) -> Self {
        let names = serde_json::from_str::<Names<'_>>(text);
        names.map_or_else(|_| Self::default(), Self::named)
    }

    fn named(names: Names<'_>) -> Self {
        let read = |value: Option<&RawValue>| serde_json::from_str::<String>(value?.get()).ok();
        Self {
            order_id: read(names.order_id).and_then(|text| OrderId::new(&text).ok()),
            client_id: read(names.client_id).and_then(|text| ClientId::new(&text).ok()),
        }
    }
}

impl Problem {
    /// The same, about the order of this text. Where the log does not tell of it, nothing is
    /// read.
    #[must_use]
    pub fn about_order_in(self, order: OrderText<'_>) -> Self {
        if !tracing::enabled!(target: ORDERS, Level::INFO) {
            return self;
        }
        self.with_about(match order {
            OrderText::Whole(text) => About::read(text),
            OrderText::Fields(fields) => About::named(Names {
                order_id: fields.order_id,
                client_id: fields.client_id,
            }),
        })
    }

    /// The same, about this order.
    #[must_use]
    pub fn about_order(self, order_id: &OrderId, client_id: Option<&ClientId>) -> Self {
        if !tracing::enabled!(target: ORDERS, Level::INFO) {
            return self;
        }
        self.with_about(About {
            order_id: Some(order_id.clone()),
            client_id: client_id.cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_out_in_what_is_no_order() {
        let about = About::read(r#"{"order_id": "a-1", "client_id": "bob", "price": []}"#);
        assert_eq!(about.order_id(), Some("a-1"));
        assert_eq!(about.client_id(), Some("bob"));
        let about = About::read(r#"{"order_id": "a b", "client_id": 7}"#);
        assert_eq!(about, About::default());
        assert_eq!(About::read("no JSON"), About::default());
    }
}
