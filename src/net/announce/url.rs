//! Where a tracker answers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hyper::Uri;

use crate::wire::announce::Protocol;

/// Of HTTP; for UDP there is none.
const HTTP_PORT: u16 = 80;

/// `http://host[:port]/path[?query]` or `udp://host:port[/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerUrl {
    protocol: Protocol,
    host: String,
    port: u16,
    path_and_query: String,
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Http, Protocol::Udp];

fn scheme_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "http",
        Protocol::Udp => "udp",
    }
}

/// Why text is no tracker's URL that we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerUrlError {
    #[error("tracker {0:?} is no URL; write http://HOST:PORT/announce or udp://HOST:PORT/announce")]
    NotAUrl(String),
    #[error("tracker {url:?}: {scheme} is not supported, only http:// and udp:// are")]
    Scheme { url: String, scheme: String },
}

impl TrackerUrl {
    pub fn parse(url: &str) -> Result<TrackerUrl, TrackerUrlError> {
        let not_a_url = || TrackerUrlError::NotAUrl(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| not_a_url())?;
        let scheme = uri.scheme_str().ok_or_else(not_a_url)?;
        let known = PROTOCOLS.into_iter().find(|known| scheme_of(*known).eq_ignore_ascii_case(scheme));
        let protocol = known
            .ok_or_else(|| TrackerUrlError::Scheme { url: url.to_owned(), scheme: scheme.to_owned() })?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(not_a_url)?;
        Ok(TrackerUrl {
            protocol,
            host: host.to_owned(),
            port: port(&uri, protocol, host).ok_or_else(not_a_url)?,
            path_and_query: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// The URL of one of our own trackers.
    pub fn http_at(addr: SocketAddr) -> TrackerUrl {
        TrackerUrl::at(Protocol::Http, addr)
    }

    /// The URL of one of our own trackers.
    pub fn udp_at(addr: SocketAddr) -> TrackerUrl {
        TrackerUrl::at(Protocol::Udp, addr)
    }

    /// The URL of one of our own trackers.
    pub fn at(protocol: Protocol, addr: SocketAddr) -> TrackerUrl {
        let host = match addr.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        TrackerUrl { protocol, host, port: addr.port(), path_and_query: "/announce".to_owned() }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address in it; `None` where it names its host otherwise.
    pub fn ip(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(&self.host).parse().ok()
    }

    /// `host:port`, for the look-up and the `Host` header.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Path and query of a request, after whatever query the URL has itself (a passkey, say).
    pub(super) fn with_query(&self, query: &str) -> String {
        let separator = if self.path_and_query.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", self.path_and_query)
    }
}

/// Read from the text, because `Uri` has no port where the text has one that is out of range.
fn port(uri: &Uri, protocol: Protocol, host: &str) -> Option<u16> {
    let authority = uri.authority()?.as_str();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    match place.strip_prefix(host)?.strip_prefix(':') {
        None => (protocol == Protocol::Http).then_some(HTTP_PORT),
        Some(port) => port.parse().ok().filter(|port| *port != 0),
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", scheme_of(self.protocol), self.authority(), self.path_and_query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_of_trackers_are_read() {
        for (url, shown, target) in [
            ("http://127.0.0.1:6969/announce", "http://127.0.0.1:6969/announce", "/announce?q"),
            ("http://example.org", "http://example.org:80/", "/?q"),
            ("HTTP://[::1]:8080/a/announce", "http://[::1]:8080/a/announce", "/a/announce?q"),
            ("http://h:1/announce?key=1", "http://h:1/announce?key=1", "/announce?key=1&q"),
            ("udp://h:1", "udp://h:1/", "/?q"),
            ("UDP://[::1]:6969/announce", "udp://[::1]:6969/announce", "/announce?q"),
        ] {
            let parsed = TrackerUrl::parse(url).unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.with_query("q").as_str()), (shown, target));
        }
    }

    #[test]
    fn our_own_tracker_has_a_url_for_both_ip_versions() {
        for (addr, url) in
            [("127.0.0.1:80", "http://127.0.0.1:80/announce"), ("[::1]:6969", "http://[::1]:6969/announce")]
        {
            let addr = addr.parse().unwrap();
            assert_eq!(TrackerUrl::http_at(addr), TrackerUrl::parse(url).unwrap());
            let url = url.replace("http", "udp");
            assert_eq!(TrackerUrl::udp_at(addr), TrackerUrl::parse(&url).unwrap());
        }
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        let error = |url| TrackerUrl::parse(url).unwrap_err().to_string();
        assert_eq!(
            error("wss://tracker.example:80"),
            "tracker \"wss://tracker.example:80\": wss is not supported, only http:// and udp:// are"
        );
        assert!(error("https://tracker.example/announce").contains("https is not supported"));
        for broken in [
            "",
            "announce",
            "/announce",
            "127.0.0.1:80",
            "http://",
            "http:///announce",
            "http://h:0/a",
            "udp://h",
            "udp://h/announce",
        ] {
            assert!(error(broken).contains("is no URL"), "{broken}");
        }
        for broken in ["http://h:/a", "http://h:65536/a", "http://h:x/a", "http://a b/", "http://h/\r\nX: y"]
        {
            assert!(error(broken).contains("is no URL"), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_reads_the_same(text in "((http|udp)://)?.{0,40}") {
            if let Ok(url) = TrackerUrl::parse(&text) {
                prop_assert_eq!(TrackerUrl::parse(&url.to_string()), Ok(url));
            }
        }
    }
}
