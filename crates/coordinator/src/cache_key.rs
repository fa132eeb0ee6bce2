//! `cache:key:files`: a key made of what some files contain (language inventory, 1.8).

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use shipway_config::CacheKey;
use shipway_pipeline::Plan;

/// Bytes of the digest that are used; as long as the key GitLab makes.
const DIGEST_BYTES: usize = 20;

/// Replaces the keys that are made of files by the digest of those files below `root`.
///
/// Files that do not exist are passed over; where none exists the key is `default`.
///
/// # Errors
/// When a file exists and cannot be read.
pub fn resolve(plan: &mut Plan, root: &Path) -> io::Result<()> {
    for job in &mut plan.jobs {
        for cache in &mut job.spec.cache {
            if let CacheKey::Files { files, prefix } = &cache.key {
                let digest = digest(files, root)?.unwrap_or_else(|| "default".to_owned());
                cache.key = CacheKey::Text(match prefix {
                    Some(prefix) => format!("{prefix}-{digest}"),
                    None => digest,
                });
            }
        }
    }
    Ok(())
}

fn digest(files: &[String], root: &Path) -> io::Result<Option<String>> {
    let mut hasher = Sha256::new();
    let mut found = false;
    for file in files {
        let mut content = match File::open(root.join(file)) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !content.metadata()?.is_file() {
            continue;
        }
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

    #[test]
    fn content_and_names_make_the_digest() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        let of = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(ToString::to_string).collect();
            digest(&files, root.path()).unwrap()
        };
        assert_eq!(of(&["absent"]), None);
        write("a", "1");
        let first = of(&["a", "absent"]).unwrap();
        assert_eq!(first.len(), 40);
        assert_eq!(of(&["a"]), Some(first.clone()));
        write("a", "2");
        assert_ne!(of(&["a"]), Some(first));
    }
}
