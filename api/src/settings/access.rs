//! Who may do what, and how much of it.

use std::num::NonZeroU32;

use crate::access::Auth;
use crate::access::limits::RATE_MAX;
use crate::guard::{Authority, Guard, WebOrigin};
use crate::settings::error::SettingsError;
use crate::settings::given::Given;

/// Units a second that each client may use unless set otherwise.
const REQUESTS_PER_SECOND_DEFAULT: u32 = 5_000;

pub(super) fn guard(given: &Given<'_>) -> Result<Guard, SettingsError> {
    let hosts = given.list(
        "allowed_hosts",
        "names with or without a port, as exchange.example, separated by commas",
        Authority::parse,
    )?;
    let origins = given.list(
        "allowed_origins",
        "origins, as https://exchange.example, separated by commas",
        WebOrigin::parse,
    )?;
    Ok(Guard::new(hosts, origins))
}

pub(super) fn auth(given: &Given<'_>) -> Result<Auth, SettingsError> {
    let auth = given.optional("auth", "on or off", |text| match text {
        "on" => Some(Auth::On),
        "off" => Some(Auth::Off),
        _ => None,
    })?;
    Ok(auth.unwrap_or(Auth::Off))
}

/// None where there is no limit.
pub(super) fn requests_per_second(given: &Given<'_>) -> Result<Option<NonZeroU32>, SettingsError> {
    let (default, most) = (REQUESTS_PER_SECOND_DEFAULT, RATE_MAX.get());
    let requests = given.number("requests_per_second", default, 0..=most)?;
    Ok(NonZeroU32::new(requests))
}
