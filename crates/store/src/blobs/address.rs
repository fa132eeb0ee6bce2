//! Where the files of artifacts are, from an address and the environment.

use std::path::PathBuf;

/// Where the files of artifacts are; the default is `artifacts/` in the state directory.
#[derive(Clone, Default)]
pub struct Objects(Place);

#[derive(Clone)]
pub(super) enum Place {
    /// Relative to the state directory.
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(BucketAddress),
}

/// A bucket, and how to get at it.
#[cfg(feature = "s3")]
#[derive(Clone)]
pub(super) struct BucketAddress {
    pub(super) bucket: String,
    /// Without a slash at either end; may be empty.
    pub(super) prefix: String,
    /// The `AWS_…` of the environment, which hold the secret key.
    pub(super) settings: Vec<(String, String)>,
    /// The endpoint may be asked without TLS.
    pub(super) plain_http: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self::Folder(PathBuf::from("artifacts"))
    }
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Place::Folder(path) => write!(formatter, "file:{}", path.display()),
            #[cfg(feature = "s3")]
            Place::Bucket(address) => formatter.write_str(&address.to_string()),
        }
    }
}

#[cfg(feature = "s3")]
impl std::fmt::Display for BucketAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// An address of artifacts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// Nobody knows what kind of place it is.
    #[error("`{scheme}:` is no place for artifacts that this Shipway can use; give `file:DIRECTORY`{}", if cfg!(feature = "s3") { " or `s3://BUCKET/PREFIX`" } else { "; `s3://BUCKET/PREFIX` needs a Shipway built with the feature `s3`" })]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// There is no name of a bucket in the address.
    #[error("`{address}` names no bucket for artifacts; write it as `s3://BUCKET/PREFIX`")]
    NoBucket {
        /// The address.
        address: String,
    },
    /// The secret key would go over the network for everybody to read what is stored.
    #[error(
        "the endpoint of the object store, `{endpoint}`, is neither `https://` nor on this machine; set AWS_ALLOW_HTTP=true where the network is to be trusted"
    )]
    PlainHttp {
        /// What `AWS_ENDPOINT_URL` says.
        endpoint: String,
    },
    /// The settings of the environment do not fit each other.
    #[error("the object store `{address}` cannot be used; check the environment's `AWS_…`")]
    Settings {
        /// The address.
        address: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Objects {
    /// The place that an address names: `file:` for the default, `file:DIRECTORY`, relative to
    /// the state directory, or `s3://BUCKET/PREFIX`, which needs the cargo feature `s3`. Of
    /// `variables` those count for S3 that AWS's own programs read, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL` and `AWS_REGION` above all.
    ///
    /// # Errors
    /// [`ObjectsError`], which says what to write instead.
    pub fn new(
        address: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ObjectsError> {
        if let Some(path) = address.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Ok(match path {
                "" => Self::default(),
                path => Self(Place::Folder(PathBuf::from(path))),
            });
        }
        #[cfg(feature = "s3")]
        if let Some(rest) = address.strip_prefix("s3://") {
            return bucket(address, rest, variables).map(|bucket| Self(Place::Bucket(bucket)));
        }
        #[cfg(not(feature = "s3"))]
        drop(variables);
        let scheme = address.split(':').next().unwrap_or_default().to_owned();
        Err(ObjectsError::Scheme { scheme })
    }

    /// As [`Objects::new`], with the variables of this process.
    ///
    /// # Errors
    /// As [`Objects::new`].
    pub fn from_env(address: &str) -> Result<Self, ObjectsError> {
        let variables = std::env::vars_os();
        let texts = variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::new(address, texts)
    }

    pub(super) fn place(&self) -> &Place {
        &self.0
    }
}

#[cfg(feature = "s3")]
fn bucket(
    address: &str,
    rest: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<BucketAddress, ObjectsError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || bucket.contains(['@', ':']) {
        let address = address.rsplit('@').next().unwrap_or_default().to_owned();
        return Err(ObjectsError::NoBucket { address });
    }
    let settings: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
        .collect();
    let setting = |name: &str| {
        let found = settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let endpoint = setting("AWS_ENDPOINT_URL_S3").or(setting("AWS_ENDPOINT_URL"));
    let is_plain = endpoint.filter(|endpoint| endpoint.starts_with("http://"));
    let is_allowed = setting("AWS_ALLOW_HTTP").is_some_and(|value| value == "true");
    if let Some(endpoint) = is_plain
        && !is_allowed
        && !is_loopback(endpoint)
    {
        let endpoint = endpoint.to_owned();
        return Err(ObjectsError::PlainHttp { endpoint });
    }
    Ok(BucketAddress {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        plain_http: is_plain.is_some(),
        settings,
    })
}

/// Whether `http://HOST:PORT/…` is this machine.
#[cfg(feature = "s3")]
fn is_loopback(endpoint: &str) -> bool {
    let rest = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Result<std::net::IpAddr, _> = host.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str, variables: &[(&str, &str)]) -> Result<Objects, ObjectsError> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Objects::new(address, variables)
    }

    #[test]
    fn folders_are_in_the_state_directory_or_where_they_are_put() {
        for (address, path) in [
            ("file:", "artifacts"),
            ("file:///srv/a", "/srv/a"),
            ("file:/srv/a", "/srv/a"),
            ("file:other", "other"),
        ] {
            let objects = of(address, &[]).unwrap();
            assert_eq!(format!("{objects:?}"), format!("file:{path}"), "{address}");
        }
        for address in ["", "artifacts", "gs://bucket", "S3:bucket"] {
            let error = of(address, &[]).unwrap_err();
            assert!(matches!(error, ObjectsError::Scheme { .. }), "{error:?}");
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_needs_its_feature() {
        let error = of("s3://bucket", &[]).unwrap_err().to_string();
        assert!(error.contains("feature `s3`"), "{error}");
    }

    #[cfg(feature = "s3")]
    #[test]
    fn a_bucket_has_a_name_and_a_prefix() {
        for (address, bucket, prefix) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://b/ci", "b", "ci"),
            ("s3://b//ci/x/", "b", "ci/x"),
        ] {
            let Objects(Place::Bucket(found)) = of(address, &[]).unwrap() else {
                panic!("{address} is a folder");
            };
            assert_eq!((&*found.bucket, &*found.prefix), (bucket, prefix));
        }
        for address in ["s3://", "s3:///x", "s3://key:geheim@b/x"] {
            let error = of(address, &[]).unwrap_err();
            assert!(matches!(error, ObjectsError::NoBucket { .. }), "{error:?}");
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }

    #[cfg(feature = "s3")]
    #[test]
    fn without_tls_only_on_this_machine_or_where_it_is_asked_for() {
        for (endpoint, allow, fits) in [
            ("http://127.0.0.1:9000", "", true),
            ("http://localhost:9000/", "", true),
            ("http://[::1]:9000", "", true),
            ("http://s3:9000", "", false),
            ("http://s3:9000", "false", false),
            ("http://s3:9000", "true", true),
            ("http://127.0.0.1.example.com", "", false),
            ("http://localhost@example.com", "", false),
            ("https://s3.example.com", "", true),
        ] {
            let found = of(
                "s3://b",
                &[("AWS_ENDPOINT_URL", endpoint), ("AWS_ALLOW_HTTP", allow)],
            );
            assert_eq!(found.is_ok(), fits, "{endpoint} {allow}");
        }
    }

    #[cfg(feature = "s3")]
    #[test]
    fn the_secret_key_is_never_shown() {
        let objects = of("s3://b/x", &[("AWS_SECRET_ACCESS_KEY", "geheim")]).unwrap();
        assert_eq!(format!("{objects:?}"), "s3://b/x");
    }
}
