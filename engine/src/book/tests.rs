//! The book told as a trader would tell it, and judged by a naive one.

mod mirroring;
mod model;
mod naive;
mod notation;
mod placing;
mod random;
mod real;
mod replayed;
mod resting;
mod self_trade;
