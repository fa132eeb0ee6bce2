//! Git's configuration as one list of keys and values.

use crate::command::records;

/// What `git config --list -z` printed, in order: system, global, then the repository's own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    entries: Vec<(String, String)>,
}

impl Config {
    /// Reads `key\nvalue\0…`; a key without a value is a boolean that is true.
    pub(crate) fn parse(output: &[u8]) -> Self {
        let entries = records(output)
            .map(|record| {
                let record = String::from_utf8_lossy(record);
                match record.split_once('\n') {
                    Some((key, value)) => (key.to_owned(), value.to_owned()),
                    None => (record.into_owned(), "true".to_owned()),
                }
            })
            .collect();
        Self { entries }
    }

    /// The last value of `key`, which is the one that counts. Section and variable names are
    /// in lower case, as git prints them.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// All values of `key`, in order.
    pub(crate) fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        let entries = self.entries.iter().filter(move |(name, _)| name == key);
        entries.map(|(_, value)| value.as_str())
    }

    /// The address of a remote after the `url.<base>.insteadOf` rewriting, where the longest
    /// matching prefix wins (git-config, `url.<base>.insteadOf`).
    pub(crate) fn remote_url(&self, remote: &str) -> Option<String> {
        // With several addresses git fetches from the first.
        let key = format!("remote.{remote}.url");
        let url = &self.entries.iter().find(|(name, _)| *name == key)?.1;
        let rewrite = self
            .entries
            .iter()
            .filter_map(|(key, prefix)| {
                let base = key.strip_prefix("url.")?.strip_suffix(".insteadof")?;
                let rest = url.strip_prefix(prefix.as_str())?;
                Some((prefix.len(), format!("{base}{rest}")))
            })
            .max_by_key(|(length, _)| *length);
        Some(rewrite.map_or_else(|| url.clone(), |(_, rewritten)| rewritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_a_bare_key_is_true() {
        let config = Config::parse(b"user.name\nA\nB\0core.bare\0user.name\nC\0");
        assert_eq!(config.get("user.name"), Some("C"));
        assert_eq!(config.get("core.bare"), Some("true"));
        assert_eq!(config.get("user.email"), None);
    }

    #[test]
    fn the_longest_instead_of_rewrites_a_remote() {
        let config = Config::parse(
            b"url.https://one/.insteadof\ngl:\0url.git@two:team/.insteadof\ngl:team/\0\
              remote.origin.url\ngl:team/app\0remote.other.url\n/srv/x\0",
        );
        assert_eq!(
            config.remote_url("origin").as_deref(),
            Some("git@two:team/app")
        );
        assert_eq!(config.remote_url("other").as_deref(), Some("/srv/x"));
        assert_eq!(config.remote_url("none"), None);
    }
}
