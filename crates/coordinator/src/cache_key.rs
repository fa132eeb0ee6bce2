//! `cache:key:files`: a key made of what some files contain (language inventory, 1.8).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use shipway_config::CacheKey;
use shipway_pipeline::Plan;

/// Bytes of the digest that are used; as long as the key GitLab makes.
const DIGEST_BYTES: usize = 20;

/// Opens a file of the project; none where there is no such file.
pub(crate) type Open<'a> = &'a dyn Fn(&str) -> io::Result<Option<Box<dyn Read>>>;

/// Replaces the keys that are made of files by the digest of those files below `root`.
///
/// Files that do not exist are passed over; where none exists the key is `default`.
///
/// # Errors
/// When a file exists and cannot be read.
pub fn resolve(plan: &mut Plan, root: &Path) -> io::Result<()> {
    resolve_with(plan, &|name| match File::open(root.join(name)) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(Box::new(file))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
}

/// As [`resolve`], with files from anywhere.
pub(crate) fn resolve_with(plan: &mut Plan, open: Open<'_>) -> io::Result<()> {
    for job in &mut plan.jobs {
        for cache in &mut job.spec.cache {
            if let CacheKey::Files { files, prefix } = &cache.key {
                let digest = digest(files, open)?.unwrap_or_else(|| "default".to_owned());
                cache.key = CacheKey::Text(match prefix {
                    Some(prefix) => format!("{prefix}-{digest}"),
                    None => digest,
                });
            }
        }
    }
    Ok(())
}

fn digest(files: &[String], open: Open<'_>) -> io::Result<Option<String>> {
    let mut hasher = Sha256::new();
    let mut found = false;
    for file in files {
        let Some(mut content) = open(file)? else {
            continue;
        };
        found = true;
        hasher.update(file.as_bytes());
        hasher.update([0]);
        io::copy(&mut content, &mut HashWriter(&mut hasher))?;
    }
    let digest = hasher.finalize();
    let text = digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"));
    Ok(found.then(|| text.collect()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(spec: shipway_config::Job) -> Plan {
        Plan {
            jobs: vec![shipway_pipeline::PlannedJob {
                spec,
                stage: 0,
                when: shipway_config::When::OnSuccess,
                allow_failure: shipway_config::AllowFailure::Always(false),
                triggered: false,
                reason: shipway_pipeline::Reason::Unconditional,
            }],
            ..Plan::default()
        }
    }

    #[test]
    fn content_and_names_make_the_digest() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        let of = |files: &[&str]| {
            let cache = shipway_config::Cache {
                key: CacheKey::Files {
                    files: files.iter().map(ToString::to_string).collect(),
                    prefix: None,
                },
                ..shipway_config::Cache::default()
            };
            let spec = shipway_config::Job {
                cache: vec![cache],
                ..shipway_config::Job::default()
            };
            let mut plan = plan_of(spec);
            resolve(&mut plan, root.path()).unwrap();
            match &plan.jobs[0].spec.cache[0].key {
                CacheKey::Text(text) => text.clone(),
                key => panic!("{key:?}"),
            }
        };
        assert_eq!(of(&["absent"]), "default");
        write("a", "1");
        let first = of(&["a", "absent"]);
        assert_eq!(first.len(), 40);
        assert_eq!(of(&["a"]), first);
        write("a", "2");
        assert_ne!(of(&["a"]), first);
    }
}
