//! The release table: everything that depends on the Endpoint Picker's version.

/// A family of picker releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// kubernetes-sigs/gateway-api-inference-extension v1.3.x.
    Gie1_3,
}
