//! `agentgateway.dev`: agentgateway/agentgateway v1.4.1.

use serde::Serialize;

use super::Kind;
use super::gateway_api::PolicyTarget;

/// `AgentgatewayPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentgatewayPolicySpec {
    /// What it is about.
    pub target_refs: Vec<PolicyTarget>,
    /// What is done to requests.
    pub traffic: Traffic,
}

impl Kind for AgentgatewayPolicySpec {
    const API_VERSION: &'static str = "agentgateway.dev/v1alpha1";
    const KIND: &'static str = "AgentgatewayPolicy";
}

/// What is done to requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traffic {
    /// `PreRouting`: before a route is chosen.
    pub phase: &'static str,
    /// How they are changed.
    pub transformation: Transformation,
}

/// How requests and answers are changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transformation {
    /// Requests.
    pub request: RequestTransformation,
}

/// How requests are changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestTransformation {
    /// Headers that are overwritten.
    pub set: Vec<HeaderTransformation>,
}

/// A header, and what is written there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeaderTransformation {
    /// Its name.
    pub name: &'static str,
    /// CEL.
    pub value: &'static str,
}
