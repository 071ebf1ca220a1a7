//! Observed state for tests, as sentences: `cluster().holding(Key::Gateway, gateway).broken(Key::ScaledObject, why)`.
//!
//! Everything goes through the reader, from the bytes that Crossplane would send.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::plan::keys::Key;
use crate::protocol::to_struct;

use super::{Observed, read};

/// What a request shows of a composite and its Objects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    objects: BTreeMap<Key, Value>,
    conditions: Vec<Value>,
    implementation: Option<&'static str>,
}

/// Nothing yet.
pub(crate) fn cluster() -> Cluster {
    Cluster::default()
}

impl Cluster {
    /// An Object that is Synced, around a live object.
    pub(crate) fn holding(self, key: Key, live: Value) -> Self {
        self.with(key, &json!({"type": "Synced", "status": "True", "reason": "ReconcileSuccess"}), live)
    }

    /// An Object that the provider cannot look at, with what was asked for in it.
    pub(crate) fn asking(self, key: Key, asked: &Value) -> Self {
        let mut cluster = self.broken(key, "connect failed");
        if let Some(object) = cluster.objects.get_mut(&key) {
            object["spec"]["forProvider"]["manifest"]["spec"] = asked["spec"].clone();
        }
        cluster
    }

    /// An Object that the provider cannot reconcile any more: the former live object is still in its status.
    pub(crate) fn broken(self, key: Key, why: &str) -> Self {
        let synced = json!({"type": "Synced", "status": "False", "reason": "ReconcileError", "message": why});
        let former = self.objects.get(&key).map_or(Value::Null, |object| live_object(object).clone());
        self.with(key, &synced, former)
    }

    /// What the composite says that its route was made for.
    pub(crate) fn written_for(mut self, implementation: &'static str) -> Self {
        self.implementation = Some(implementation);
        self
    }

    /// The same without Objects.
    pub(crate) fn directly(mut self) -> Self {
        for object in self.objects.values_mut() {
            let mut live = live_object(object).clone();
            live["apiVersion"] = json!("example.com/v1");
            live["kind"] = json!("Live");
            live["metadata"]["name"] = json!("llama");
            live["metadata"]["namespace"] = json!("team-a");
            *object = live;
        }
        self
    }

    /// A condition that the composite has from the call before.
    pub(crate) fn before(mut self, kind: &str, status: &str, reason: &str) -> Self {
        self.conditions.push(json!({"type": kind, "status": status, "reason": reason}));
        self
    }

    /// The same, with the time at which Crossplane wrote it.
    pub(crate) fn since(mut self, kind: &str, status: &str, reason: &str, time: &str) -> Self {
        let condition = json!({"type": kind, "status": status, "reason": reason, "lastTransitionTime": time});
        self.conditions.push(condition);
        self
    }

    /// As read from a request.
    pub(crate) fn observed(&self) -> Observed {
        let composite = to_struct(&json!({"status": {
            "conditions": self.conditions,
            "gateway": {"implementation": self.implementation},
        }}))
        .unwrap();
        let objects: BTreeMap<&str, Vec<u8>> =
            self.objects.iter().map(|(key, object)| (key.as_str(), to_struct(object).unwrap())).collect();
        read(&composite, objects.iter().map(|(key, bytes)| (*key, bytes.as_slice()))).unwrap()
    }

    fn with(mut self, key: Key, synced: &Value, live: Value) -> Self {
        let manifest = json!({"metadata": {"name": "llama", "namespace": "team-a"}});
        let mut object = json!({
            "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
            "kind": "Object",
            "metadata": {"name": "llama-0123456789ab", "generation": 1},
            "spec": {
                "providerConfigRef": {"kind": "ProviderConfig", "name": "gpu-cluster"},
                "forProvider": {"manifest": manifest},
            },
            "status": {"conditions": [{"type": "Ready", "status": "True"}, synced]},
        });
        object["status"]["atProvider"]["manifest"] = live;
        self.objects.insert(key, object);
        self
    }
}

fn live_object(object: &Value) -> &Value {
    &object["status"]["atProvider"]["manifest"]
}
