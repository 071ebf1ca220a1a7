//! Requests to an API server, as strict as it can be asked to be.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::header::{ACCEPT, CONTENT_TYPE, WARNING};
use http::{Method, Request, StatusCode};
use kube::Client;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// An answer takes milliseconds; a large CRD on a busy machine some seconds.
const REQUEST_LIMIT: Duration = Duration::from_mins(1);

/// A client, and what it learned about the kinds that are served. Clones share both.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// By `apiVersion` and kind.
    kinds: Arc<Mutex<BTreeMap<(String, String), Kind>>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// How a kind is addressed.
#[derive(Debug, Clone)]
struct Kind {
    plural: String,
    namespaced: bool,
}

/// What the API server made of an object.
#[derive(Debug)]
pub struct Accepted {
    /// The object as it is stored.
    pub object: Value,
    /// What it was warned of.
    pub warnings: Vec<String>,
}

/// A refusal by the API server, in its own words.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub code: u16,
    /// What it says.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Refused {}

impl Cluster {
    /// Takes the way in that the file describes.
    pub async fn connect(kubeconfig: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(Self { client: Client::try_from(config)?, kinds: Arc::default() })
    }

    /// Whether everything in the API server has started.
    pub async fn ready(&self) -> Result<()> {
        self.send(Method::GET, "/readyz", None).await.map(drop)
    }

    /// Creates an object.
    pub async fn create(&self, object: &Value) -> Result<Accepted> {
        let uri = format!("{}?fieldValidation=Strict", self.collection(object).await?);
        self.send(Method::POST, &uri, Some(("application/json", object))).await
    }

    /// Asks whether [`Self::create`] would create an object, and stores nothing.
    pub async fn would_create(&self, object: &Value) -> Result<Accepted> {
        let uri = format!("{}?fieldValidation=Strict&dryRun=All", self.collection(object).await?);
        self.send(Method::POST, &uri, Some(("application/json", object))).await
    }

    /// Applies an object in the name of a field manager: every unknown field is an error, and so is a field that
    /// another manager has set to something else.
    pub async fn apply(&self, object: &Value, manager: &str) -> Result<Accepted> {
        self.patch(object, manager, "").await
    }

    /// The same, but a field that another manager has set to something else becomes this one's.
    pub async fn apply_with_force(&self, object: &Value, manager: &str) -> Result<Accepted> {
        self.patch(object, manager, "&force=true").await
    }

    /// Sets the replicas of an object through its scale subresource, as an autoscaler does.
    pub async fn scale(&self, object: &Value, replicas: u64, manager: &str) -> Result<()> {
        let uri = format!("{}/scale?fieldManager={manager}", self.path(object).await?);
        let patch = json!({"spec": {"replicas": replicas}});
        self.send(Method::PATCH, &uri, Some(("application/merge-patch+json", &patch))).await.map(drop)
    }

    /// Asks whether an object would be accepted, as [`Self::apply`] would apply it, and stores nothing.
    pub async fn check(&self, object: &Value, manager: &str) -> Result<Accepted> {
        self.patch(object, manager, "&dryRun=All").await
    }

    async fn patch(&self, object: &Value, manager: &str, more: &str) -> Result<Accepted> {
        let path = self.path(object).await?;
        let manager = manager.replace('/', "%2F");
        let uri = format!("{path}?fieldManager={manager}&fieldValidation=Strict{more}");
        self.send(Method::PATCH, &uri, Some(("application/apply-patch+yaml", object))).await
    }

    /// Replaces an object, whatever it has become meanwhile: what is not said is gone, or back to its default.
    pub async fn replace(&self, object: &Value) -> Result<Accepted> {
        let uri = format!("{}?fieldValidation=Strict", self.path(object).await?);
        self.send(Method::PUT, &uri, Some(("application/json", object))).await
    }

    /// Reads what is stored under an object's name.
    pub async fn get(&self, object: &Value) -> Result<Option<Value>> {
        let path = self.path(object).await?;
        match self.send(Method::GET, &path, None).await {
            Ok(accepted) => Ok(Some(accepted.object)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything of a kind in a namespace, or in the cluster when the namespace is empty.
    pub async fn list(&self, api_version: &str, kind: &str, namespace: &str) -> Result<Vec<Value>> {
        let sample = json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace}});
        let path = match namespace {
            "" => format!("{}/{}", root(api_version), self.kind(&sample).await?.plural),
            _ => self.collection(&sample).await?,
        };
        let mut list = self.send(Method::GET, &path, None).await?.object;
        let mut items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        // The items of a list leave out what the list says for all of them.
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.insert("apiVersion".to_owned(), json!(api_version));
            item.insert("kind".to_owned(), json!(kind));
        }
        Ok(items)
    }

    /// Everything in a namespace, of every kind that is served there, but for what was told about it.
    pub async fn everything_in(&self, namespace: &str) -> Result<Vec<Value>> {
        let groups = self.send(Method::GET, "/apis", None).await?.object;
        let groups = groups.get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
        let preferred = groups.iter().map(|group| text(group, "/preferredVersion/groupVersion"));
        let mut found = Vec::new();
        for api_version in std::iter::once("v1").chain(preferred) {
            for kind in self.served(api_version).await? {
                let sample = json!({"apiVersion": api_version, "kind": kind});
                if kind == "Event" || !self.kind(&sample).await?.namespaced {
                    continue;
                }
                match self.list(api_version, &kind, namespace).await {
                    // Some are only asked questions, and hold nothing.
                    Err(error) if is_missing(&error) || is(&error, StatusCode::METHOD_NOT_ALLOWED) => {}
                    outcome => found.extend(outcome?),
                }
            }
        }
        Ok(found)
    }

    /// Writes the status of an object, as its controller would.
    pub async fn set_status(&self, object: &Value, status: &Value) -> Result<()> {
        let uri = format!("{}/status?fieldValidation=Strict", self.path(object).await?);
        let patch = json!({"status": status});
        self.send(Method::PATCH, &uri, Some(("application/merge-patch+json", &patch))).await.map(drop)
    }

    /// A token by which a program shows that it is a service account.
    pub async fn token(&self, namespace: &str, service_account: &str) -> Result<String> {
        let uri = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.send(Method::POST, &uri, Some(("application/json", &request))).await?.object;
        Ok(text(&answer, "/status/token").to_owned())
    }

    /// Deletes an object. It is gone at once unless it has finalizers.
    pub async fn delete(&self, object: &Value) -> Result<()> {
        let path = self.path(object).await?;
        let uri = format!("{path}?propagationPolicy=Background&gracePeriodSeconds=0");
        self.send(Method::DELETE, &uri, None).await.map(drop)
    }

    /// The kinds of a group and version that are served; none when it is not served at all.
    pub async fn served(&self, api_version: &str) -> Result<Vec<String>> {
        let list = match self.send(Method::GET, &root(api_version), None).await {
            Ok(list) => list.object,
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let resources = list.get("resources").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut served = Vec::new();
        for resource in resources {
            let plural = text(&resource, "/name");
            if plural.contains('/') {
                continue; // A subresource.
            }
            let kind = text(&resource, "/kind").to_owned();
            let namespaced = resource.get("namespaced").and_then(Value::as_bool).unwrap_or_default();
            let found = Kind { plural: plural.to_owned(), namespaced };
            self.kinds()?.insert((api_version.to_owned(), kind.clone()), found);
            served.push(kind);
        }
        Ok(served)
    }

    /// Whether a part of the API that another server serves is answered.
    pub async fn group_is_served(&self, api_version: &str) -> bool {
        self.send(Method::GET, &root(api_version), None).await.is_ok()
    }

    async fn kind(&self, object: &Value) -> Result<Kind> {
        let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let key = (api_version.to_owned(), kind.to_owned());
        let mut known = self.kinds()?.get(&key).cloned();
        if known.is_none() {
            self.served(api_version).await?;
            known = self.kinds()?.get(&key).cloned();
        }
        known.ok_or_else(|| {
            let message = format!("no {api_version} {kind} is served");
            Refused { code: StatusCode::NOT_FOUND.as_u16(), message }.into()
        })
    }

    async fn collection(&self, object: &Value) -> Result<String> {
        let api_version = text(object, "/apiVersion");
        let found = self.kind(object).await?;
        if !found.namespaced {
            return Ok(format!("{}/{}", root(api_version), found.plural));
        }
        let namespace = text(object, "/metadata/namespace");
        if namespace.is_empty() {
            bail!("{} is namespaced and names no namespace", describe(object));
        }
        Ok(format!("{}/namespaces/{namespace}/{}", root(api_version), found.plural))
    }

    async fn path(&self, object: &Value) -> Result<String> {
        Ok(format!("{}/{}", self.collection(object).await?, text(object, "/metadata/name")))
    }

    fn kinds(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<(String, String), Kind>>> {
        self.kinds.lock().ok().context("another thread panicked while it learned kinds")
    }

    async fn send(&self, method: Method, uri: &str, body: Option<(&str, &Value)>) -> Result<Accepted> {
        let mut request = Request::builder().method(&method).uri(uri).header(ACCEPT, "application/json");
        let mut bytes = Vec::new();
        if let Some((content_type, value)) = body {
            request = request.header(CONTENT_TYPE, content_type);
            bytes = serde_json::to_vec(value)?;
        }
        let exchange = async {
            let response = self.client.send(request.body(Body::from(bytes))?).await?;
            let (head, body) = response.into_parts();
            anyhow::Ok((head, body.collect_bytes().await?))
        };
        let (head, bytes) = tokio::time::timeout(REQUEST_LIMIT, exchange)
            .await
            .with_context(|| format!("no answer to {method} {uri} within {REQUEST_LIMIT:?}"))?
            .with_context(|| format!("cannot {method} {uri}"))?;

        let object = serde_json::from_slice(&bytes).unwrap_or_default();
        if !head.status.is_success() {
            let message = match text(&object, "/message") {
                "" => String::from_utf8_lossy(&bytes).into_owned(),
                message => message.to_owned(),
            };
            return Err(Refused { code: head.status.as_u16(), message }.into());
        }
        let warnings = head.headers.get_all(WARNING).iter();
        let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        Ok(Accepted { object, warnings })
    }
}

/// Kind, namespace and name, for messages.
pub fn describe(object: &Value) -> String {
    let name = match text(object, "/metadata/namespace") {
        "" => text(object, "/metadata/name").to_owned(),
        namespace => format!("{namespace}/{}", text(object, "/metadata/name")),
    };
    format!("{} {name}", text(object, "/kind"))
}

/// The status of a condition; empty when there is none.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind);
    found.map_or("", |condition| text(condition, "/status"))
}

/// A string somewhere in an object; empty when it is not there.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the API server said that there is no such object, or no such kind.
pub fn is_missing(error: &anyhow::Error) -> bool {
    is(error, StatusCode::NOT_FOUND)
}

fn is(error: &anyhow::Error, code: StatusCode) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.code == code.as_u16())
}

/// The core group has a place of its own.
fn root(api_version: &str) -> String {
    if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") }
}
