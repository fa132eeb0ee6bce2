//! Who is at the other end of a connection, where proxies stand between.
//!
//! Anybody can write headers. So what `X-Forwarded-For` and `X-Forwarded-Proto` say counts only
//! when the connection comes from a proxy that the settings name.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The networks whose machines are believed about whom they speak for. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// The first bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no network of trusted proxies; write an address as `192.0.2.7` or a network as `10.0.0.0/8` or `2001:db8::/32`"
)]
pub struct NetworkError(String);

impl TrustedProxies {
    /// Networks as `10.0.0.0/8`, or single addresses.
    ///
    /// # Errors
    ///
    /// Of the first that is something else.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(|text| text.trim().parse());
        networks.collect::<Result<_, _>>().map(Self)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    /// The machine that asks, of a connection from `peer`: the last in the list of forwarders
    /// that is no trusted proxy. What stands before it anybody may have written.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lists = headers.get_all(FORWARDED_FOR).iter();
        let lists: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
        for text in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
            if !self.trusts(client) {
                break;
            }
            // A proxy that writes something else has told no more than its own address.
            let Some(address) = forwarder(text.trim()) else {
                break;
            };
            client = address.to_canonical();
        }
        client
    }

    /// Whether the nearest proxy, if it is trusted, was asked by https.
    fn is_https(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let said = headers.get_all(FORWARDED_PROTO).iter().next_back();
        let last = said
            .and_then(|value| value.to_str().ok())
            .and_then(|list| list.rsplit(',').next());
        self.trusts(peer.to_canonical())
            && last.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
    }
}

/// An entry of the list; some proxies add the port.
fn forwarder(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

impl Network {
    fn has(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(network), IpAddr::V4(other)) => {
                let differs = u32::from(network) ^ u32::from(other);
                differs.leading_zeros() >= self.bits
            }
            (IpAddr::V6(network), IpAddr::V6(other)) => {
                let differs = u128::from(network) ^ u128::from(other);
                differs.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let fault = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| fault())?,
            None => all,
        };
        match bits <= all {
            true => Ok(Self { address, bits }),
            false => Err(fault()),
        }
    }
}

/// The client asked by https, as a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverHttps;

/// Puts the client's address in the place of the proxy's, before anybody looks at it.
pub(crate) async fn resolve(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let proxies = &app.settings().trusted_proxies;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if let Some(ConnectInfo(peer)) = peer.copied()
        && proxies.trusts(peer.ip().to_canonical())
    {
        let client = proxies.client(peer.ip(), request.headers());
        let https = proxies.is_https(peer.ip(), request.headers());
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(SocketAddr::new(client, peer.port())));
        if https {
            extensions.insert(OverHttps);
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn networks_are_read() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "127.0.0.1"),
            (" 10.1.2.3/31", "10.1.2.2", "10.1.2.4"),
        ] {
            let proxies = TrustedProxies::parse([text]).unwrap();
            assert!(proxies.trusts(inside.parse().unwrap()), "{text}");
            assert!(!proxies.trusts(outside.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "proxy",
            "10.0.0/8",
            "1.2.3.4/-1",
        ] {
            let error = TrustedProxies::parse([text]).unwrap_err();
            assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
        }
    }

    #[test]
    fn only_what_trusted_proxies_say_counts() {
        let proxies = TrustedProxies::parse(["10.0.0.0/8", "2001:db8::1"]).unwrap();
        let table: [(&str, &[&str], &str); 12] = [
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["6.6.6.6, 198.51.100.1, 10.9.9.9"],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &["6.6.6.6", "198.51.100.1 ,10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["10.2.2.2"], "10.2.2.2"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("2001:db8::1", &["[2001:db8:5::1]:443"], "2001:db8:5::1"),
            ("2001:db8::1", &["[2001:db8:5::1]"], "2001:db8:5::1"),
        ];
        for (peer, lists, expected) in table {
            let found = proxies.client(peer.parse().unwrap(), &headers(FORWARDED_FOR, lists));
            assert_eq!(
                found,
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {lists:?}"
            );
        }
        let nobody = TrustedProxies::default();
        let forged = headers(FORWARDED_FOR, &["198.51.100.1"]);
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(nobody.client(peer, &forged), peer);
    }

    #[test]
    fn https_is_what_the_nearest_proxy_says() {
        let proxies = TrustedProxies::parse(["10.0.0.0/8"]).unwrap();
        let table: [(&str, &[&str], bool); 6] = [
            ("10.0.0.1", &["https"], true),
            ("10.0.0.1", &["http, HTTPS"], true),
            ("10.0.0.1", &["https", "http"], false),
            ("10.0.0.1", &["http"], false),
            ("10.0.0.1", &[], false),
            ("192.0.2.1", &["https"], false),
        ];
        for (peer, said, expected) in table {
            let found = proxies.is_https(peer.parse().unwrap(), &headers(FORWARDED_PROTO, said));
            assert_eq!(found, expected, "{peer} {said:?}");
        }
    }
}
