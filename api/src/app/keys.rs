//! `shardbook keys`: makes keys of an exchange that is not being served, the first one above all.

use shardbook_engine::access::{AccessKey, Holder, Role};
use shardbook_engine::id::ClientId;
use shardbook_engine::time::{Clock, SystemClock};
use thiserror::Error;

use super::AppError;
use super::open::{control_log, data_dir};
use crate::access::KeyText;
use crate::schema::word::Worded;
use crate::settings::{KeyArguments, SettingsError};

/// Why a key was not made.
#[derive(Debug, Error)]
pub enum CreateKeyError {
    /// What was asked for can't be.
    #[error(transparent)]
    Wrong(#[from] SettingsError),
    /// The data directory or the control log in it.
    #[error(transparent)]
    Log(#[from] AppError),
}

/// Makes a key, durably, in a data directory that no server holds; an empty one becomes a new
/// exchange's.
///
/// # Errors
/// When role and client are not what they should be, a server holds the directory, or the machine
/// refuses.
pub fn create_key(arguments: &KeyArguments) -> Result<KeyText, CreateKeyError> {
    let holder = holder(arguments)?;
    let text = KeyText::random().map_err(|source| AppError::Machine {
        doing: "getting random numbers",
        source,
    })?;
    let data_dir = data_dir(&arguments.data_dir)?;
    let mut log = control_log(&data_dir, SystemClock.now())?;
    let key = AccessKey {
        id: text.id(),
        secret_hash: text.hash(),
        holder,
        requests_per_second: None,
        created_at: SystemClock.now(),
    };
    log.create_key(key).map_err(AppError::from)?;
    Ok(text)
}

fn holder(arguments: &KeyArguments) -> Result<Holder, SettingsError> {
    let role = Role::from_word(&arguments.role)
        .ok_or_else(|| SettingsError::wrong("role", &arguments.role, &Role::choices()))?;
    let given = arguments.client_id.as_deref();
    let client = given.map(|text| {
        let client = ClientId::new(text).ok().filter(|client| !client.is_feed());
        let allowed = "1 to 64 letters, digits and ._:-, which do not begin with binance-";
        client.ok_or_else(|| SettingsError::wrong("client_id", text, allowed))
    });
    match (role, client.transpose()?) {
        (Role::Admin, client) => Ok(Holder::Admin(client)),
        (Role::Trader, Some(client)) => Ok(Holder::Trader(client)),
        (Role::Reader, Some(client)) => Ok(Holder::Reader(client)),
        (Role::Trader | Role::Reader, None) => {
            let allowed = "the client that the key acts for: a reader's and a trader's has one";
            Err(SettingsError::wrong("client_id", "", allowed))
        }
    }
}
