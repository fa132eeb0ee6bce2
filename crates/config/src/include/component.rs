//! Addresses of components, `HOST/GROUP/PROJECT/NAME@VERSION`, and which release a version
//! means.

/// An address in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address<'a> {
    pub(super) host: &'a str,
    pub(super) project: &'a str,
    pub(super) name: &'a str,
    /// Everything behind the first `@`.
    pub(super) version: &'a str,
}

impl<'a> Address<'a> {
    /// The last name before the version is the component's, what stands between it and the
    /// host is the project's path.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (path, version) = text.split_once('@')?;
        let (host, path) = path.split_once('/')?;
        let (project, name) = path.rsplit_once('/')?;
        let is_whole = !host.is_empty()
            && !version.is_empty()
            && !name.is_empty()
            && project.split('/').all(|part| !part.is_empty());
        is_whole.then_some(Self {
            host,
            project,
            name,
            version,
        })
    }

    /// Where the file of the component may be, in the order in which GitLab looks.
    pub(super) fn paths(&self) -> [String; 2] {
        [
            format!("templates/{}.yml", self.name),
            format!("templates/{}/template.yml", self.name),
        ]
    }

    /// Whether the version must be looked up among the releases.
    pub(super) fn asks_for_newest(&self) -> bool {
        self.version == LATEST || partial(self.version).is_some()
    }
}

const LATEST: &str = "~latest";

/// The tag of the newest release that fits `~latest`, `1` or `1.2`. Pre-releases never do.
pub(super) fn newest<'t>(version: &str, tags: &'t [String]) -> Option<&'t str> {
    let wanted = if version == LATEST {
        Vec::new()
    } else {
        partial(version)?
    };
    tags.iter()
        .filter_map(|tag| Some((release(tag)?, tag.as_str())))
        .filter(|(numbers, _)| numbers.starts_with(&wanted))
        .max_by_key(|(numbers, _)| *numbers)
        .map(|(_, tag)| tag)
}

/// Whether a version is that of a release: a whole semantic version.
pub(super) fn is_release(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    release(core).is_some()
}

/// `1` or `1.2`
fn partial(version: &str) -> Option<Vec<u64>> {
    let numbers: Option<Vec<u64>> = version.split('.').map(number).collect();
    numbers.filter(|numbers| numbers.len() <= 2)
}

/// `1.2.3`, with or without a `v`, build metadata passed over.
fn release(tag: &str) -> Option<[u64; 3]> {
    let core = tag.strip_prefix('v').unwrap_or(tag);
    let core = core.split_once('+').map_or(core, |(core, _)| core);
    let numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("h/g/p/n@1", Some(("h", "g/p", "n", "1"))),
            ("h:80/g/s/p/n@a/b@c", Some(("h:80", "g/s/p", "n", "a/b@c"))),
            ("h/p/n@~latest", Some(("h", "p", "n", "~latest"))),
            ("h/g/p/n", None),
            ("h/g/p/n@", None),
            ("h/n@1", None),
            ("/g/p/n@1", None),
            ("h//p/n@1", None),
            ("h/g/p/@1", None),
        ] {
            let found = Address::parse(text);
            let found = found.map(|found| (found.host, found.project, found.name, found.version));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_newest_release_is_chosen_by_number() {
        let tags = [
            "1.0.0",
            "1.2.9",
            "1.10.0",
            "v2.0.0",
            "2.1.0-rc.1",
            "nightly",
            "3",
            "02.5.0",
        ];
        let tags = tags.map(str::to_owned);
        for (version, expected) in [
            ("~latest", Some("v2.0.0")),
            ("1", Some("1.10.0")),
            ("1.2", Some("1.2.9")),
            ("2", Some("v2.0.0")),
            ("2.1", None),
            ("3", None),
            ("1.2.9", None),
            ("main", None),
        ] {
            assert_eq!(newest(version, &tags), expected, "{version}");
        }
    }

    #[test]
    fn whole_versions_are_releases() {
        for (version, expected) in [
            ("1.0.0", true),
            ("v1.0.0", true),
            ("1.0.0-rc.1", true),
            ("1.0", false),
            ("main", false),
            ("1.0.0.0", false),
        ] {
            assert_eq!(is_release(version), expected, "{version}");
        }
    }
}
