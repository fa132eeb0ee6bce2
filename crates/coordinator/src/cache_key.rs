//! `cache:key:files` and `files_commits`: a key made of what some files contain, or of the
//! commits that changed them last (language inventory, 1.8).

use std::io::{self, Read};

use sha2::{Digest, Sha256};
use shipway_config::CacheKey;
use shipway_pipeline::Plan;

use crate::start::PipelineFiles;

/// Bytes of the digest that are used; as long as the key GitLab makes.
const DIGEST_BYTES: usize = 20;

/// Bytes of a file that are read in a local run, where files are the person's own.
const LARGEST: u64 = 1 << 40;

/// Opens a file of the project; none where there is no such file.
pub(crate) type Open<'a> = &'a dyn Fn(&str) -> io::Result<Option<Box<dyn Read>>>;

/// Names the newest commit that changed a file; none where no commit has it.
pub(crate) type LastChange<'a> = &'a dyn Fn(&str) -> io::Result<Option<String>>;

/// Replaces the keys that are made of files by the digest of what the files contain, or of the
/// commits that changed them last.
///
/// Files that do not exist are passed over; where none exists the key is `default`.
///
/// # Errors
/// When a file exists and cannot be read, or git fails.
pub fn resolve(plan: &mut Plan, files: &dyn PipelineFiles) -> io::Result<()> {
    let open = |name: &str| files.open(name, LARGEST);
    resolve_with(plan, &open, &|name| files.last_change(name))
}

/// As [`resolve`], with files from anywhere.
pub(crate) fn resolve_with(
    plan: &mut Plan,
    open: Open<'_>,
    last_change: LastChange<'_>,
) -> io::Result<()> {
    for job in &mut plan.jobs {
        for cache in &mut job.spec.cache {
            let (digest, prefix) = match &cache.key {
                CacheKey::Text(_) => continue,
                CacheKey::Files { files, prefix } => (digest(files, open)?, prefix),
                CacheKey::FilesCommits { files, prefix } => {
                    let commit = |name: &str| {
                        let id = last_change(name)?;
                        Ok(id.map(|id| Box::new(io::Cursor::new(id)) as Box<dyn Read>))
                    };
                    (digest(files, &commit)?, prefix)
                }
            };
            let digest = digest.unwrap_or_else(|| "default".to_owned());
            cache.key = CacheKey::Text(match prefix {
                Some(prefix) => format!("{prefix}-{digest}"),
                None => digest,
            });
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

    /// The key that becomes of one, where there are these files with this content.
    fn key(key: CacheKey, present: &[(&str, &str)]) -> String {
        let cache = shipway_config::Cache {
            key,
            ..shipway_config::Cache::default()
        };
        let spec = shipway_config::Job {
            cache: vec![cache],
            ..shipway_config::Job::default()
        };
        let mut plan = plan_of(spec);
        let text = |name: &str| {
            let found = present.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        };
        let open = |name: &str| {
            let content = text(name).map(|text| format!("content {text}"));
            Ok(content.map(|text| Box::new(io::Cursor::new(text)) as Box<dyn Read>))
        };
        resolve_with(&mut plan, &open, &|name| Ok(text(name))).unwrap();
        match &plan.jobs[0].spec.cache[0].key {
            CacheKey::Text(text) => text.clone(),
            key => panic!("{key:?}"),
        }
    }

    #[test]
    fn content_and_names_make_the_digest() {
        let of = |files: &[&str], present: &[(&str, &str)]| {
            let files = files.iter().map(ToString::to_string).collect();
            key(
                CacheKey::Files {
                    files,
                    prefix: None,
                },
                present,
            )
        };
        assert_eq!(of(&["absent"], &[]), "default");
        let first = of(&["a", "absent"], &[("a", "1")]);
        assert_eq!(first.len(), 40);
        assert_eq!(of(&["a"], &[("a", "1")]), first);
        assert_ne!(of(&["a"], &[("a", "2")]), first);
    }

    #[test]
    fn the_last_commits_of_files_make_the_digest() {
        let of = |prefix: Option<&str>, present: &[(&str, &str)]| {
            let files = vec!["a".to_owned(), "b".to_owned()];
            let prefix = prefix.map(str::to_owned);
            key(CacheKey::FilesCommits { files, prefix }, present)
        };
        assert_eq!(of(Some("p"), &[]), "p-default");
        let first = of(None, &[("a", "c1"), ("b", "c1")]);
        assert_eq!(
            of(Some("p"), &[("a", "c1"), ("b", "c1")]),
            format!("p-{first}")
        );
        assert_ne!(of(None, &[("a", "c1"), ("b", "c2")]), first);
        assert_ne!(of(None, &[("a", "c1")]), first);
    }
}
