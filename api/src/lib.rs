//! The exchange as a library.
