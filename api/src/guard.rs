//! Turns away requests that a web page made for the person who opened it.
//!
//! Without keys, anything on the machine may trade; a page from elsewhere must not. It gives
//! itself away in one of two ways: its `Origin` is not ours, or, where it had its own name
//! resolve to this machine, its `Host` is not.

use std::net::{Ipv4Addr, Ipv6Addr};

use poem::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use poem::http::{HeaderValue, Uri, Version};

use crate::problem::{Code, Problem};

/// The setting that names further hosts.
const ALLOWED_HOSTS: &str = "allowed_hosts";

/// The setting that names further origins.
const ALLOWED_ORIGINS: &str = "allowed_origins";

/// Which names and origins are the server's own.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    hosts: Vec<Authority>,
    origins: Vec<WebOrigin>,
}

/// A host's name and port, as a `Host` header has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// In lower case; an IPv6 address in brackets.
    name: String,
    port: Option<u16>,
}

/// Where a web page comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    /// In lower case.
    scheme: String,
    authority: Authority,
}

/// Whether a request that passed comes from a page of another origin that may read the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// No page, or one of our own.
    Own,
    /// A page of an origin that the settings allow.
    Allowed(HeaderValue),
}

impl Guard {
    /// Lets pass what goes to these hosts and comes from these origins, and what always may.
    #[must_use]
    pub const fn new(hosts: Vec<Authority>, origins: Vec<WebOrigin>) -> Self {
        Self { hosts, origins }
    }

    /// Decides about a request by its head.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for a foreign host or origin, [`Code::InvalidParameter`] for a head
    /// that does not say which host it means.
    pub fn check(
        &self,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
    ) -> Result<Visitor, Problem> {
        let host = self.check_host(uri, version, headers)?;
        self.check_origin(host.as_ref(), headers)
    }

    fn check_host(
        &self,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
    ) -> Result<Option<Authority>, Problem> {
        let in_header = single(headers, &HOST, ("Host", ALLOWED_HOSTS))?;
        // HTTP/2 and proxies name the host in the request's target.
        let in_target = uri.authority().map(|authority| authority.as_str());
        if in_header.is_none() && in_target.is_none() {
            return if version == Version::HTTP_11 {
                Err(Problem::parameter("Host", "must be named, once"))
            } else {
                Ok(None)
            };
        }
        let mut host = None;
        for text in in_target.into_iter().chain(in_header) {
            let authority = Authority::parse(text).filter(|authority| self.is_own(authority));
            host = Some(authority.ok_or_else(|| forbidden("Host", text, ALLOWED_HOSTS))?);
        }
        Ok(host)
    }

    fn is_own(&self, host: &Authority) -> bool {
        host.is_local_or_address()
            || self.hosts.iter().any(|allowed| {
                allowed.name == host.name && (allowed.port.is_none() || allowed.port == host.port)
            })
    }

    fn check_origin(
        &self,
        host: Option<&Authority>,
        headers: &HeaderMap,
    ) -> Result<Visitor, Problem> {
        let Some(text) = single(headers, &ORIGIN, ("Origin", ALLOWED_ORIGINS))? else {
            return Ok(Visitor::Own);
        };
        let origin = WebOrigin::parse(text);
        if let (Some(origin), Some(host)) = (&origin, host)
            && origin.is_at(host)
        {
            return Ok(Visitor::Own);
        }
        match origin {
            Some(origin) if self.origins.contains(&origin) => HeaderValue::from_str(text)
                .map(Visitor::Allowed)
                .map_err(|_| forbidden("Origin", text, ALLOWED_ORIGINS)),
            Some(_) | None => Err(forbidden("Origin", text, ALLOWED_ORIGINS)),
        }
    }
}

impl Authority {
    /// Reads `name`, `name:port`, an IPv4 address or an IPv6 address in brackets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, after) = rest.split_once(']')?;
            let _: Ipv6Addr = address.parse().ok()?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':')?),
            };
            (format!("[{address}]"), port)
        } else {
            match text.split_once(':') {
                Some((name, port)) => (name.to_owned(), Some(port)),
                None => (text.to_owned(), None),
            }
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        let port = match port {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
        };
        Some(Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }

    fn is_local_or_address(&self) -> bool {
        self.name == "localhost"
            || self.name.starts_with('[')
            || self.name.parse::<Ipv4Addr>().is_ok()
    }
}

impl WebOrigin {
    /// Reads `scheme://host` or `scheme://host:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let mut authority = Authority::parse(authority)?;
        authority.port = authority.port.or_else(|| default_port(&scheme));
        Some(Self { scheme, authority })
    }

    fn is_at(&self, host: &Authority) -> bool {
        let port = host.port.or_else(|| default_port(&self.scheme));
        self.authority.name == host.name && self.authority.port == port
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A header that must not stand there twice.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    (shown, setting): (&'static str, &'static str),
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::parameter(shown, "must be named once at most"));
    }
    // What is not ASCII is no name of ours.
    first
        .map(|value| value.to_str().map_err(|_| forbidden(shown, "", setting)))
        .transpose()
}

fn forbidden(header: &str, value: &str, setting: &str) -> Problem {
    let shown: String = value.chars().take(80).collect();
    let detail = format!(
        "the {header} {shown:?} is foreign; what else is the server's own stands in its setting {setting}"
    );
    Problem::new(Code::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let hosts = ["exchange.example", "other.example:8443"];
        let origins = ["https://app.example", "http://localhost:3000"];
        Guard::new(
            hosts.map(|host| Authority::parse(host).unwrap()).to_vec(),
            origins
                .map(|origin| WebOrigin::parse(origin).unwrap())
                .to_vec(),
        )
    }

    fn check(host: &str, origin: &str) -> Result<Visitor, Code> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        }
        if !origin.is_empty() {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        guard()
            .check(&Uri::from_static("/orders"), Version::HTTP_11, &headers)
            .map_err(|problem| problem.code())
    }

    #[test]
    fn a_host_is_own_when_it_is_local_an_address_or_allowed() {
        let own = [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:8080",
            "192.168.1.7:80",
            "[::1]",
            "[::1]:8080",
            "exchange.example",
            "exchange.example:99",
            "other.example:8443",
            "localhost:",
        ];
        for host in own {
            assert_eq!(check(host, ""), Ok(Visitor::Own), "{host}");
        }
        let foreign = [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "other.example",
            "other.example:80",
            "[::1].evil.example",
            "[evil.example]",
            "localhost:99999",
            "localhost:80:80",
            "user@localhost",
            "local host",
            "127.1",
        ];
        for host in foreign {
            assert_eq!(check(host, ""), Err(Code::Forbidden), "{host}");
        }
        assert_eq!(check("", ""), Err(Code::InvalidParameter));
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_bytes(b"\xe9vil").unwrap());
        let problem = guard().check(&Uri::from_static("/"), Version::HTTP_11, &headers);
        assert_eq!(problem.unwrap_err().code(), Code::Forbidden);
    }

    #[test]
    fn an_origin_passes_when_it_is_the_host_or_allowed() {
        let rows = [
            ("localhost:8080", "http://localhost:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost", "http://localhost"),
            ("localhost:80", "http://localhost"),
            ("exchange.example", "https://exchange.example"),
            ("[::1]:8080", "http://[::1]:8080"),
        ];
        for (host, origin) in rows {
            assert_eq!(check(host, origin), Ok(Visitor::Own), "{host} {origin}");
        }
        for origin in [
            "https://app.example",
            "http://localhost:3000",
            "https://app.example:443",
        ] {
            let allowed = Ok(Visitor::Allowed(HeaderValue::from_str(origin).unwrap()));
            assert_eq!(check("127.0.0.1:8080", origin), allowed);
        }
        let foreign = [
            "null",
            "http://evil.example",
            "http://localhost:8081",
            "http://localhost",
            "https://localhost:8443",
            "http://app.example",
            "https://app.example.evil.example",
            "localhost:8080",
            "file://",
            "http://localhost:8080/path",
        ];
        for origin in foreign {
            assert_eq!(
                check("localhost:8080", origin),
                Err(Code::Forbidden),
                "{origin}"
            );
        }
    }

    #[test]
    fn the_target_and_the_header_must_both_be_own() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let target = Uri::from_static("http://evil.example/orders");
        assert!(guard().check(&target, Version::HTTP_11, &headers).is_err());
        let target = Uri::from_static("http://localhost/orders");
        assert!(
            guard()
                .check(&target, Version::HTTP_2, &HeaderMap::new())
                .is_ok()
        );
        assert!(
            guard()
                .check(&Uri::from_static("/"), Version::HTTP_10, &HeaderMap::new())
                .is_ok()
        );
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(guard().check(&target, Version::HTTP_11, &headers).is_err());
    }
}
