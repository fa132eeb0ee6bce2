//! What a job is given at its start: secrets and the like.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An entry of `secrets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// The key that names the provider: `vault`, `azure_key_vault` and the like.
    pub provider: String,
    /// What the provider is asked, as checked.
    pub request: Value,
    /// Whether the variable holds the path of a file with the value.
    pub file: bool,
    /// The ID token shown to the provider, `$NAME`.
    pub token: Option<String>,
}

/// `dast_configuration`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DastConfiguration {
    /// The profile of the site that is scanned.
    pub site_profile: Option<String>,
    /// The profile of the scanner.
    pub scanner_profile: Option<String>,
}
