//! Recordings of Binance's market data, which are not part of the project.

use std::path::{Path, PathBuf};

use crate::unchecked::not_checked;

/// Names the folder that recordings stand in; `../shared/data` beside the checkout otherwise.
const VARIABLE: &str = "SHARDBOOK_RECORDINGS";

/// The recording at this path in their folder, if it stands there; says so if not.
#[must_use]
pub fn recording(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(path);
    if path.exists() {
        return Some(path);
    }
    not_checked(&format!("there is no recording {}", path.display()));
    None
}
