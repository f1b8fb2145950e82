//! Faults that tests ask for.

use crate::schema::text::{OrderIdText, SymbolText};

request! {
    /// A fault to inject.
    pub struct FaultRequest {
        /// The instrument whose shard is to crash.
        required instrument: SymbolText,
        /// It crashes whenever an order of this id is placed, from now on; it crashes at once if
        /// left out.
        optional order_id: OrderIdText,
    }
    example {"instrument": "BTC-USD"}
}

object! {
    /// A fault that was injected.
    pub struct FaultView {
        /// The instrument whose shard crashes.
        pub instrument: SymbolText,
    }
    example {"instrument": "BTC-USD"}
}
