//! The bounds within which the server works, and where each comes from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long running calls may take after the first request to stop.
///
/// Kubernetes kills a pod 30 seconds after SIGTERM unless its `DeploymentRuntimeConfig` says otherwise; Crossplane gives
/// a whole pipeline 2 minutes and calls again after that. So: as long as fits, with room to say goodbye.
pub const GRACE: Duration = Duration::from_secs(25);

/// How long a TLS handshake may take; whoever is slower only holds a socket.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// How often the certificates' files are looked at. Kubelet itself takes up to a minute to renew what is mounted.
pub const CERTIFICATE_LOOKS: Duration = Duration::from_secs(30);

/// From when on the end of a certificate is warned of. Crossplane's are valid for ten years (crossplane v2.3.4,
/// `internal/initializer/cert_generator.go`), cert-manager's for ninety days, of which it renews the last thirty.
pub(super) const EXPIRY_AHEAD: Duration = Duration::from_hours(14 * 24);

/// How often it is warned of.
pub(super) const EXPIRY_WARNINGS: Duration = Duration::from_hours(24);

/// How long a request may stop on its way. A connection that is alive goes on within a round trip.
pub const STALL: Duration = Duration::from_secs(20);

/// How long a connection may be silent before the client is asked whether it is there, and how long it may take to
/// say so. A client that went without a word, with its node say, would hold its socket for ever.
pub const KEEPALIVE: Duration = Duration::from_mins(1);

/// Up to how many bytes a request is answered by the thread that has read it. Handing it to another thread and back
/// takes an eighth of what a model's usual call costs (`docs/adr/0004-cost.md`). What others have in a request is skipped by
/// its length, so the function is done with one of this size in about a millisecond.
pub const AT_ONCE: usize = 4 * MIB;

/// Calls that one connection may have at a time. Crossplane reconciles up to a hundred composite resources at once over
/// one connection for each function.
pub(super) const STREAMS: u32 = 128;

/// What may be on its way to a call that does not read yet, because it waits for room.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all calls of a connection together: as many as there may be. A smaller one could be used up by calls
/// that wait, and the call that they wait for would never get its request.
pub(super) const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;

/// What the process may hold with the default bound on what is worked on at once, in bytes: two and a half times that
/// bound, and what one connection may have waiting (`docs/serving.md`, Under load).
pub const MEMORY_UNDER_LOAD: usize = MessageSize::IN_FLIGHT.bytes / 2 * 5 + CONNECTION_WINDOW as usize;

/// How long the head of a scrape may take. The Go SDK's metrics server waits as long (function-sdk-go v0.7.1, sdk.go).
pub(super) const SCRAPE_HEAD: Duration = Duration::from_secs(30);

/// How long to wait before the next try when the system has no connection to give.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The size of a message, as people write it: a whole number of MiB, or with `KiB` or `MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageSize {
    bytes: usize,
}

impl MessageSize {
    /// What a request may have by default. Crossplane sends without a limit and requests above gRPC's usual 4 MiB do
    /// occur: observed and desired state of a whole pipeline are in them.
    pub const DEFAULT: Self = Self { bytes: 32 * MIB };

    /// What all requests that are worked on may have together by default.
    pub const IN_FLIGHT: Self = Self { bytes: 64 * MIB };

    /// The length in front of a gRPC message has 32 bits.
    pub const MAX_MIB: usize = 4096;

    /// In bytes.
    pub const fn bytes(self) -> usize {
        self.bytes
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Why a text is no size of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageSizeError {
    /// The Rust SDK counts in bytes, the Go ones in MiB: 4194304 here is somebody's 4 MiB.
    #[error(
        "a plain number counts MiB, and {0} MiB is more than the {max} MiB a gRPC message can have: give a unit, KiB or MiB",
        max = MessageSize::MAX_MIB
    )]
    UnitMissing(usize),
    /// More than gRPC can carry.
    #[error("more than the {max} MiB a gRPC message can have", max = MessageSize::MAX_MIB)]
    TooLarge,
    /// Every request would be refused.
    #[error("no request would fit")]
    Zero,
    /// Neither a number nor one with a unit.
    #[error("not a whole number of MiB, nor one with KiB or MiB behind it")]
    NotASize,
}

impl FromStr for MessageSize {
    type Err = MessageSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
            Some(end) => text.split_at(end),
            None => (text, ""),
        };
        let unit_bytes = match unit {
            "" | "MiB" => MIB,
            "KiB" => KIB,
            _ => return Err(MessageSizeError::NotASize),
        };
        let number: usize = number.parse().map_err(|_| MessageSizeError::NotASize)?;
        let most = Self::MAX_MIB * MIB / unit_bytes;
        match number {
            0 => Err(MessageSizeError::Zero),
            _ if number > most && unit.is_empty() => Err(MessageSizeError::UnitMissing(number)),
            _ if number > most => Err(MessageSizeError::TooLarge),
            _ => Ok(Self { bytes: number * unit_bytes }),
        }
    }
}

impl fmt::Display for MessageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bytes.is_multiple_of(MIB) {
            write!(f, "{}MiB", self.bytes / MIB)
        } else {
            write!(f, "{}KiB", self.bytes / KIB)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_mib_unless_it_says_otherwise() {
        let cases = [
            ("4", 4 * MIB, "the Go SDK's template counts MB, and means MiB"),
            ("64MiB", 64 * MIB, "said in full"),
            ("512KiB", 512 * KIB, "smaller than one MiB"),
            ("4096", 4096 * MIB, "the most that gRPC can carry"),
            ("4194304KiB", 4096 * MIB, "the same in another unit"),
        ];
        for (text, want, reason) in cases {
            assert_eq!(text.parse::<MessageSize>().map(MessageSize::bytes), Ok(want), "{reason}");
        }
        assert_eq!(MessageSize::DEFAULT.to_string(), "32MiB");
        assert_eq!("1KiB".parse::<MessageSize>().unwrap().to_string(), "1KiB");
    }

    #[test]
    fn what_is_no_size_says_why() {
        let cases = [
            ("4194304", MessageSizeError::UnitMissing(4_194_304), "bytes, as the Rust SDK counts"),
            ("4097MiB", MessageSizeError::TooLarge, "its unit is clear, its size is not possible"),
            ("0", MessageSizeError::Zero, "a server that refuses everything"),
            ("4MB", MessageSizeError::NotASize, "a unit that some read as a million"),
            ("-1", MessageSizeError::NotASize, "no limit is no limit to offer"),
            ("", MessageSizeError::NotASize, "nothing"),
            ("MiB", MessageSizeError::NotASize, "a unit of nothing"),
            ("99999999999999999999", MessageSizeError::NotASize, "more than a number here can be"),
        ];
        for (text, want, reason) in cases {
            assert_eq!(text.parse::<MessageSize>(), Err(want), "{reason}");
        }
    }
}
