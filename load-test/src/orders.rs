//! The orders to send.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

/// The file's lines, each the body of one request; empty ones are left out.
///
/// # Errors
/// When the file can't be read or holds no order.
pub(crate) fn read(path: &Path) -> Result<Vec<Bytes>> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let all = Bytes::from(text);
    let orders: Vec<Bytes> = all
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| all.slice_ref(line))
        .collect();
    ensure!(!orders.is_empty(), "{} holds no order", path.display());
    Ok(orders)
}
