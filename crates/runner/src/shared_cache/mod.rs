//! Where archives of caches are that several runners share: a bucket of S3
//! (runner protocol, E.2 and H.3). With the feature `s3`, `bucket` moves archives and
//! `transfer` is that in the life of a job.

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "s3")]
mod transfer;

/// A bucket, and where in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedCache {
    /// Before every key.
    pub prefix: String,
    /// The short token of the runner whose caches these are; `None` where all runners share.
    pub runner: Option<String>,
    /// A larger archive stays on this machine; 0 is no limit.
    pub upload_limit: u64,
    /// The bucket's name.
    pub bucket: String,
    /// `https://HOST[:PORT]`; `None` is Amazon's.
    pub endpoint: Option<String>,
    /// The region; `None` is `us-east-1`.
    pub region: Option<String>,
    /// The access key and its secret; without it `AWS_…` of the environment, or what the
    /// machine's own role gives.
    pub credentials: Option<(String, String)>,
    /// Of temporary credentials.
    pub session_token: Option<String>,
    /// `https://HOST/BUCKET/…` instead of `https://BUCKET.HOST/…`.
    pub path_style: bool,
}

#[cfg(feature = "s3")]
impl SharedCache {
    /// The name of a cache's object. Unlike a path it may hold any character but `..` between
    /// slashes, which a sanitized key never does.
    pub(crate) fn object(&self, project: i64, key: &str) -> String {
        let runner = self.runner.as_ref().map(|token| format!("runner/{token}"));
        let parts = [
            Some(self.prefix.trim_matches('/').to_owned()),
            runner,
            Some(format!("project/{project}/{key}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let parts = parts.iter().filter(|part| !part.is_empty());
        parts.cloned().collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
#[cfg(feature = "s3")]
mod tests {
    use super::*;

    #[test]
    fn objects_are_where_gitlabs_runner_puts_them() {
        for (prefix, runner, expected) in [
            ("", Some("abcdefghi"), "runner/abcdefghi/project/7/a/b-1"),
            (
                "ci/",
                Some("abcdefghi"),
                "ci/runner/abcdefghi/project/7/a/b-1",
            ),
            ("/ci/x/", None, "ci/x/project/7/a/b-1"),
            ("", None, "project/7/a/b-1"),
        ] {
            let cache = SharedCache {
                prefix: prefix.into(),
                runner: runner.map(str::to_owned),
                ..SharedCache::default()
            };
            assert_eq!(cache.object(7, "a/b-1"), expected);
        }
    }
}
