//! The calls of the HTTP API, one module a resource.

pub mod analytics;
pub mod faults;
pub mod halts;
pub mod instruments;
pub mod keys;
pub mod market_data;
pub mod operations;
pub mod orders;
pub mod settlements;
pub mod snapshots;

use poem_openapi::Tags;

/// How the calls are grouped.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Placing, reading and changing orders.
    #[oai(rename = "Orders")]
    Orders,
    /// What can be traded, and what is offered and traded.
    #[oai(rename = "Market data")]
    MarketData,
    /// What each UTC day comes to, client by client.
    #[oai(rename = "Settlement")]
    Settlement,
    /// What happens, as it happens; see also `/asyncapi.yaml`.
    #[oai(rename = "Streams")]
    Streams,
    /// Keys: who may do what.
    #[oai(rename = "Access")]
    Access,
    /// Instruments and snapshots, for whoever runs the exchange.
    #[oai(rename = "Administration")]
    Administration,
    /// How the exchange is doing.
    #[oai(rename = "Operations")]
    Operations,
}
