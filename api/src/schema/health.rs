//! Whether the exchange is well.

use std::collections::BTreeMap;

use crate::decimal::TimestampText;
use crate::schema::Nullable;
use crate::schema::text::{Count, Words};
use crate::schema::word::{Word, Worded};

/// Declares a status of which there are a few.
macro_rules! status {
    ($(#[$doc:meta])+ $name:ident { $($(#[$item_doc:meta])+ $item:ident = $word:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$item_doc])+ $item,)+ }

        impl Worded for $name {
            const WORDS: &'static [(Self, &'static str)] = &[$((Self::$item, $word)),+];

            fn word(self) -> &'static str {
                match self { $(Self::$item => $word,)+ }
            }
        }

        impl_type!(
            Word<$name>,
            stringify!($name),
            schema: ::poem_openapi::registry::MetaSchemaRef::Inline(Box::new(
                ::poem_openapi::registry::MetaSchema {
                    enum_items: vec![$($word.into()),+],
                    ..::poem_openapi::registry::MetaSchema::new("string")
                },
            )),
            register: |_registry| ()
        );
    };
}

status! {
    /// The whole exchange.
    HealthStatus {
        /// All is well.
        Ok = "ok",
        /// Orders are accepted, and something else is not well.
        Degraded = "degraded",
        /// No orders are accepted.
        Unavailable = "unavailable",
    }
}

status! {
    /// The journal.
    JournalStatus {
        /// It takes records.
        Ok = "ok",
        /// It does not.
        Unavailable = "unavailable",
    }
}

status! {
    /// The database.
    DatabaseStatus {
        /// It takes rows.
        Up = "up",
        /// It does not.
        Down = "down",
    }
}

status! {
    /// One instrument's shard.
    ShardStatus {
        /// It takes orders.
        Running = "running",
        /// It is being rebuilt.
        Restarting = "restarting",
        /// It takes cancels only.
        Halted = "halted",
    }
}

status! {
    /// The market data that drives the exchange.
    FeedStatus {
        /// There is none.
        Off = "off",
        /// It is not there yet.
        Connecting = "connecting",
        /// It comes in.
        Live = "live",
        /// It was there, is gone, and is tried again.
        Down = "down",
        /// It ended as it should: a file does.
        Finished = "finished",
    }
}

object! {
    /// The journal's health.
    pub struct JournalHealth {
        /// Whether it takes records.
        pub status: Word<JournalStatus>,
        /// What is to be done something about though it does: it takes more of the disk than the
        /// setting `journal_bytes_max` says; null while all is well.
        pub reason: Nullable<Words>,
        /// Bytes of its files.
        pub bytes: Count,
    }
    example {"status": "ok", "reason": null, "bytes": 134217728}
}

object! {
    /// The database's health.
    pub struct DatabaseHealth {
        /// Whether it takes rows.
        pub status: Word<DatabaseStatus>,
        /// Why not, or what it has not answered for seconds though it is not given up yet; null
        /// while it is well.
        pub reason: Nullable<Words>,
        /// How many records it has yet to take in; null where that can't be known.
        pub lag_records: Nullable<Count>,
        /// How old the oldest of them is, in whole seconds; null where that can't be known.
        pub lag_seconds: Nullable<Count>,
    }
    example {"status": "up", "reason": null, "lag_records": 0, "lag_seconds": 0}
}

object! {
    /// The feed's health.
    pub struct FeedHealth {
        /// Whether it comes in.
        pub status: Word<FeedStatus>,
        /// When the last message came; null before the first.
        pub last_message_at: Nullable<TimestampText>,
        /// How long the newest live message was on its way, in milliseconds by Binance's clock and
        /// this machine's; null where messages are not live.
        pub lag_milliseconds: Nullable<Count>,
        /// Messages that came in, bad ones included.
        pub messages: Count,
        /// Market orders taken in: a trade each, or an aggregate of one taker's.
        pub trades: Count,
        /// Changes of the mirrored depth.
        pub mirror_updates: Count,
        /// What came in and was not taken in; `/metrics` tells the reasons.
        pub skipped: Count,
        /// Holes that stayed, in trades or depth.
        pub gaps: Count,
        /// Trades that were missed at first and had by asking for them.
        pub trades_filled: Count,
        /// Trades that are missing for good.
        pub trades_missed: Count,
        /// Connections after the first.
        pub reconnects: Count,
    }
    example {
        "status": "live", "last_message_at": "2026-01-31T12:00:00.000001Z", "lag_milliseconds": 85,
        "messages": 120345, "trades": 45012, "mirror_updates": 70210, "skipped": 3, "gaps": 0,
        "trades_filled": 0, "trades_missed": 0, "reconnects": 0
    }
}

object! {
    /// Whether the exchange is well.
    pub struct HealthView {
        /// All in one word.
        pub status: Word<HealthStatus>,
        /// What makes orders durable.
        pub journal: JournalHealth,
        /// What they are queried from.
        pub database: DatabaseHealth,
        /// Each instrument's shard.
        pub shards: Shards,
        /// The market data that drives the exchange.
        pub feed: FeedHealth,
    }
    example {
        "status": "ok", "journal": {"status": "ok", "reason": null, "bytes": 134217728},
        "database": {"status": "up", "reason": null, "lag_records": 0, "lag_seconds": 0},
        "shards": {"BTC-USD": "running"},
        "feed": {
            "status": "off", "last_message_at": null, "lag_milliseconds": null, "messages": 0,
            "trades": 0, "mirror_updates": 0, "skipped": 0, "gaps": 0, "trades_filled": 0,
            "trades_missed": 0, "reconnects": 0
        }
    }
}

/// Each instrument's shard, by the instrument's name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Shards(pub BTreeMap<String, Word<ShardStatus>>);

to_json_by_serde!(Shards);

impl_type!(
    Shards, "Shards",
    schema: poem_openapi::registry::MetaSchemaRef::Inline(Box::new(
        poem_openapi::registry::MetaSchema {
            additional_properties: Some(Box::new(
                <Word<ShardStatus> as poem_openapi::types::Type>::schema_ref(),
            )),
            ..poem_openapi::registry::MetaSchema::new("object")
        },
    )),
    register: |_registry| ()
);
