//! What a job's `GIT_*` variables and its `git_info` ask for; plain decisions.

use shipway_protocol::GitInfo;

/// `GIT_SUBMODULE_STRATEGY`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Submodules {
    #[default]
    None,
    Normal,
    Recursive,
}

/// How sources are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitSettings {
    pub checkout: bool,
    /// `None`: nothing is cleaned.
    pub clean_flags: Option<Vec<String>>,
    pub fetch_flags: Vec<String>,
    pub submodules: Submodules,
    pub submodule_depth: u32,
    pub submodule_paths: Vec<String>,
    pub submodule_update_flags: Vec<String>,
    pub submodule_force_https: bool,
}

/// A value that could not be used; its variable, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is `{value}`: {reason}")]
pub(crate) struct SettingError {
    name: &'static str,
    value: String,
    reason: &'static str,
}

impl GitSettings {
    /// Reads the variables; `get` gives an empty text for what is not set.
    pub(crate) fn read(info: &GitInfo, get: impl Fn(&str) -> String) -> Result<Self, SettingError> {
        let words = |name: &'static str| -> Result<Vec<String>, SettingError> {
            let value = get(name);
            let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
            // The runner's own git must not be told to run programs of the job's choice.
            match words.iter().any(|word| word.starts_with("--upl")) {
                true => Err(SettingError {
                    name,
                    value,
                    reason: "--upload-pack is not allowed",
                }),
                false => Ok(words),
            }
        };
        let or = |words: Vec<String>, default: &[&str]| match words.is_empty() {
            true => default.iter().map(|word| (*word).to_owned()).collect(),
            false => words,
        };
        let is_none = |words: &[String]| matches!(words, [word] if word == "none");
        let clean = or(words("GIT_CLEAN_FLAGS")?, &["-ffdx"]);
        let fetch = or(words("GIT_FETCH_EXTRA_FLAGS")?, &["--prune", "--quiet"]);
        let submodules = match get("GIT_SUBMODULE_STRATEGY").as_str() {
            "" | "none" => Submodules::None,
            "normal" => Submodules::Normal,
            "recursive" => Submodules::Recursive,
            other => {
                return Err(SettingError {
                    name: "GIT_SUBMODULE_STRATEGY",
                    value: other.to_owned(),
                    reason: "only none, normal and recursive are",
                });
            }
        };
        Ok(Self {
            checkout: !matches!(get("GIT_CHECKOUT").as_str(), "false" | "0"),
            clean_flags: (!is_none(&clean)).then_some(clean),
            fetch_flags: if is_none(&fetch) { Vec::new() } else { fetch },
            submodules,
            submodule_depth: get("GIT_SUBMODULE_DEPTH").parse().unwrap_or(info.depth),
            submodule_paths: words("GIT_SUBMODULE_PATHS")?,
            submodule_update_flags: words("GIT_SUBMODULE_UPDATE_FLAGS")?,
            submodule_force_https: matches!(
                get("GIT_SUBMODULE_FORCE_HTTPS").as_str(),
                "true" | "1"
            ),
        })
    }
}

/// The arguments of the fetch. `shallow`: what is there has not the whole history.
pub(crate) fn fetch_arguments(
    info: &GitInfo,
    settings: &GitSettings,
    shallow: bool,
) -> Vec<String> {
    let mut arguments = vec![
        "fetch".to_owned(),
        "origin".into(),
        "--no-recurse-submodules".into(),
    ];
    arguments.extend(info.refspecs.iter().cloned());
    if info.depth > 0 {
        arguments.extend(["--depth".to_owned(), info.depth.to_string()]);
    } else if shallow {
        arguments.push("--unshallow".into());
    }
    arguments.extend(settings.fetch_flags.iter().cloned());
    arguments
}

/// Why `git_info` cannot be used, where it cannot.
pub(crate) fn refusal(info: &GitInfo) -> Option<&'static str> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if info.sha.len() < 8 || !is_hex(&info.sha) {
        return Some("its commit is no full commit id");
    }
    if info.refspecs.iter().any(|refspec| refspec.starts_with('-')) {
        return Some("one of its refspecs is an option");
    }
    if info.repo_url.starts_with('-') {
        return Some("its address is an option");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<GitSettings, SettingError> {
        let info = GitInfo {
            depth: 20,
            ..GitInfo::default()
        };
        GitSettings::read(&info, |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found
                .map(|(_, value)| (*value).to_owned())
                .unwrap_or_default()
        })
    }

    #[test]
    fn defaults_are_gitlabs() {
        let settings = read(&[]).unwrap();
        assert!(settings.checkout && settings.submodules == Submodules::None);
        assert_eq!(settings.clean_flags.unwrap(), ["-ffdx"]);
        assert_eq!(settings.fetch_flags, ["--prune", "--quiet"]);
        assert_eq!(settings.submodule_depth, 20);
    }

    #[test]
    fn variables_change_them() {
        let settings = read(&[
            ("GIT_CLEAN_FLAGS", "none"),
            ("GIT_FETCH_EXTRA_FLAGS", "none"),
            ("GIT_CHECKOUT", "false"),
            ("GIT_SUBMODULE_STRATEGY", "recursive"),
            ("GIT_SUBMODULE_DEPTH", "3"),
            ("GIT_SUBMODULE_PATHS", ":(exclude)a  b"),
        ])
        .unwrap();
        assert!(!settings.checkout && settings.clean_flags.is_none());
        assert!(settings.fetch_flags.is_empty());
        assert_eq!(settings.submodules, Submodules::Recursive);
        assert_eq!(settings.submodule_depth, 3);
        assert_eq!(settings.submodule_paths, [":(exclude)a", "b"]);
    }

    #[test]
    fn programs_are_not_named_by_jobs() {
        for (name, value) in [
            (
                "GIT_FETCH_EXTRA_FLAGS",
                "--prune --upload-pack=touch${IFS}x",
            ),
            ("GIT_FETCH_EXTRA_FLAGS", "--uplo touch"),
            ("GIT_SUBMODULE_STRATEGY", "both"),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{value}");
        }
        let info = |sha: &str, refspec: &str| GitInfo {
            sha: sha.into(),
            refspecs: vec![refspec.into()],
            ..GitInfo::default()
        };
        let sha = "3f786850e387550fdab836ed7e6dc881de23001b";
        assert!(refusal(&info(sha, "+refs/heads/a:refs/remotes/origin/a")).is_none());
        assert!(refusal(&info("3f7", "a")).is_some());
        assert!(refusal(&info("--orphan", "a")).is_some());
        assert!(refusal(&info(sha, "--upload-pack=x")).is_some());
    }

    #[test]
    fn depth_and_what_is_there_decide_the_fetch() {
        let settings = read(&[]).unwrap();
        let mut info = GitInfo {
            refspecs: vec!["r".into()],
            depth: 5,
            ..GitInfo::default()
        };
        let line = |info: &GitInfo, shallow| fetch_arguments(info, &settings, shallow).join(" ");
        assert_eq!(
            line(&info, true),
            "fetch origin --no-recurse-submodules r --depth 5 --prune --quiet"
        );
        info.depth = 0;
        assert!(line(&info, true).contains("--unshallow"));
        assert!(!line(&info, false).contains("--unshallow"));
    }
}
