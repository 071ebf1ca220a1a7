//! Where to listen, in the spellings that Go's `net.Listen` and the Rust SDK take.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use tokio::net::TcpListener;

/// A host (an address, a name, or nothing for every interface) and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address such as 0.0.0.0:9443, [::]:9443 or :9443")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError)?;
        let port = port.parse().map_err(|_| AddressError)?;
        let host = match host.strip_prefix('[') {
            Some(host) => {
                let host = host.strip_suffix(']').ok_or(AddressError)?;
                host.parse::<Ipv6Addr>().map_err(|_| AddressError)?;
                host
            }
            // An IPv6 address without brackets: its last group would be taken for the port.
            None if host.contains([':', ']', ' ', '/']) => return Err(AddressError),
            None => host,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Starts to listen.
    ///
    /// Without a host that is both IP versions, as in Go; where the kernel has no IPv6, IPv4 alone.
    pub(super) async fn listen(&self) -> io::Result<TcpListener> {
        if !self.host.is_empty() {
            return TcpListener::bind((self.host.as_str(), self.port)).await;
        }
        match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)).await {
            // Taken is taken: the same port of the other version alone would hide that.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await
            }
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_both_sdks_are_addresses() {
        for text in ["0.0.0.0:9443", ":8080", "[::]:9443", "[::1]:0", "localhost:9443"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_when_it_is_typed() {
        let cases = [
            ("", "nothing"),
            ("9443", "a port without its colon"),
            ("0.0.0.0", "no port"),
            ("0.0.0.0:", "an empty one"),
            ("0.0.0.0:65536", "too high"),
            ("::1", "IPv6 without brackets"),
            ("[::1:9443", "half a bracket"),
            ("[localhost]:9443", "brackets around a name"),
            ("http://localhost:9443", "a URL"),
        ];
        for (text, reason) in cases {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{reason}");
        }
    }
}
