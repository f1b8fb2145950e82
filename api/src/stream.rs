//! What happens, as it happens: the changes of each instrument, over Server-Sent Events and
//! WebSockets.
//!
//! Each instrument has one ring of its newest events, which every consumer reads at its own pace
//! by a cursor of its own. An event is turned into bytes once, when the first consumer wants it,
//! and shared by all. So a slow consumer costs nothing but its cursor and slows nobody; one whose
//! cursor falls off the ring's end is told how much it missed, and gets the book anew.

pub mod channel;
pub mod hub;
mod message;
pub mod ring;
pub mod sse;
pub mod subscription;
pub mod websocket;

pub use self::channel::{Channel, ChannelSet};
pub use self::hub::StreamHub;
