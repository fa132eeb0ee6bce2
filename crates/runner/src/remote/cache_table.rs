//! `[runners.cache]` of `config.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::shared_cache::SharedCache;

/// The table as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CacheTable {
    /// `s3`; empty keeps caches on this machine.
    #[serde(rename = "Type")]
    kind: String,
    path: String,
    shared: bool,
    max_uploaded_archive_size: u64,
    #[serde(rename = "s3")]
    s3: S3Table,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

/// `[runners.cache.s3]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct S3Table {
    server_address: String,
    access_key: String,
    secret_key: String,
    session_token: String,
    bucket_name: String,
    bucket_location: String,
    insecure: bool,
    path_style: Option<bool>,
    /// `access-key` or `iam`; told from the keys.
    authentication_type: Option<IgnoredAny>,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

impl CacheTable {
    /// The keys nothing acts on.
    pub(super) fn unknown_keys(&self) -> impl Iterator<Item = String> {
        let of_s3 = self.s3.unknown.keys().map(|key| format!("s3.{key}"));
        self.unknown.keys().cloned().chain(of_s3)
    }

    /// The bucket, where there is one; `runner` is the short token.
    ///
    /// # Errors
    /// What is missing, or is not supported.
    pub(super) fn settings(&self, runner: &str) -> Result<Option<SharedCache>, String> {
        match self.kind.as_str() {
            "" => return Ok(None),
            "s3" => {}
            other => {
                return Err(format!(
                    "`Type` of `[runners.cache]` is `{other}`; there is s3, and without `Type` caches stay on this machine"
                ));
            }
        }
        if !cfg!(feature = "s3") {
            return Err(
                "`[runners.cache]` names a bucket of S3, and this program was built without: \
                 build it with `--features full`, or leave out `Type`"
                    .to_owned(),
            );
        }
        let s3 = &self.s3;
        if s3.bucket_name.is_empty() {
            return Err("`[runners.cache.s3]` names no `BucketName`".to_owned());
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let credentials = match (given(&s3.access_key), given(&s3.secret_key)) {
            (Some(key), Some(secret)) => Some((key, secret)),
            (None, None) => None,
            _ => {
                return Err(
                    "`[runners.cache.s3]` has only one of `AccessKey` and `SecretKey`".to_owned(),
                );
            }
        };
        let is_amazons = |host: &str| host.is_empty() || host.ends_with("amazonaws.com");
        let host = s3.server_address.as_str();
        let scheme = if s3.insecure { "http" } else { "https" };
        Ok(Some(SharedCache {
            prefix: self.path.clone(),
            runner: (!self.shared).then(|| runner.to_owned()),
            upload_limit: self.max_uploaded_archive_size,
            bucket: s3.bucket_name.clone(),
            endpoint: (!is_amazons(host)).then(|| format!("{scheme}://{host}")),
            region: given(&s3.bucket_location),
            credentials,
            session_token: given(&s3.session_token),
            path_style: s3.path_style.unwrap_or(!is_amazons(host)),
        }))
    }
}

#[cfg(test)]
#[cfg(feature = "s3")]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Option<SharedCache>, String> {
        let table: CacheTable = toml_edit::de::from_str(text).unwrap();
        table.settings("abcdefghi")
    }

    #[test]
    fn the_keys_are_gitlabs() {
        assert_eq!(settings("").unwrap(), None);
        let cache = settings(
            "Type = 's3'\nPath = 'ci'\nShared = true\nMaxUploadedArchiveSize = 5\n\
             [s3]\nServerAddress = 's3.example.com:9000'\nAccessKey = 'k'\nSecretKey = 's'\n\
             BucketName = 'b'\nBucketLocation = 'eu-1'\nInsecure = true\n",
        );
        let expected = SharedCache {
            prefix: "ci".into(),
            runner: None,
            upload_limit: 5,
            bucket: "b".into(),
            endpoint: Some("http://s3.example.com:9000".into()),
            region: Some("eu-1".into()),
            credentials: Some(("k".into(), "s".into())),
            session_token: None,
            path_style: true,
        };
        assert_eq!(cache.unwrap(), Some(expected));
        let amazon = settings("Type = 's3'\n[s3]\nBucketName = 'b'")
            .unwrap()
            .unwrap();
        assert_eq!((amazon.endpoint, amazon.path_style), (None, false));
        assert_eq!(amazon.runner.as_deref(), Some("abcdefghi"));
    }

    #[test]
    fn what_cannot_work_is_said() {
        for (text, fault) in [
            ("Type = 'gcs'", "`gcs`; there is s3"),
            ("Type = 's3'", "no `BucketName`"),
            (
                "Type = 's3'\n[s3]\nBucketName = 'b'\nAccessKey = 'k'",
                "only one of",
            ),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
        let table: CacheTable = toml_edit::de::from_str("Odd = 1\n[s3]\nRoleARN = 'x'").unwrap();
        let unknown: Vec<String> = table.unknown_keys().collect();
        assert_eq!(unknown, ["Odd", "s3.RoleARN"]);
    }
}
