//! `secrets` of a job: values that the runner gets from a service outside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Each secret by the variable that it becomes.
pub type Secrets = BTreeMap<String, Secret>;

/// One secret, of one provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// HashiCorp's Vault, or what speaks its language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultSecret>,
    /// Whether the variable is the path of a file with the value, which it is where nothing is
    /// said.
    pub file: Option<bool>,
    /// Other providers by their names; this runner knows none of them.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// What a Vault is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VaultSecret {
    /// Where it is, and how to sign in.
    pub server: VaultServer,
    /// What kind of engine keeps the secret, and where it is mounted.
    pub engine: VaultEngine,
    /// The secret's path in the engine.
    pub path: String,
    /// Which of its values.
    pub field: String,
}

/// A Vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VaultServer {
    /// Its address.
    pub url: String,
    /// The namespace, of a Vault that has some.
    pub namespace: String,
    /// How to sign in.
    pub auth: VaultAuth,
}

/// How to sign in at a Vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VaultAuth {
    /// The method, `jwt`.
    pub name: String,
    /// Where the method is mounted.
    pub path: String,
    /// What is sent, `jwt` and `role`.
    pub data: Map<String, Value>,
}

/// An engine of a Vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VaultEngine {
    /// `kv-v2`, `kv-v1` or `generic`.
    pub name: String,
    /// Where it is mounted.
    pub path: String,
}
