//! What `git push -o …` asks of the pipeline (GitLab's push options for CI/CD).

/// The push options that concern pipelines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// `ci.skip`: the pipeline is created as `skipped`, without jobs.
    pub skip: bool,
    /// `ci.variable=KEY=VALUE`, in the order given.
    pub variables: Vec<(String, String)>,
    /// `ci.input=NAME=VALUE`, in the order given.
    pub inputs: Vec<(String, String)>,
    /// Options that begin with `ci.` and were not understood; worth a word to the pusher.
    /// Others, `merge_request.create` for instance, are not ours and left out.
    pub unknown: Vec<String>,
}

impl PushOptions {
    /// Reads the options in the order given.
    pub fn parse<'a>(options: impl IntoIterator<Item = &'a str>) -> Self {
        let mut parsed = Self::default();
        for option in options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let pair = value
                .split_once('=')
                .map(|(key, value)| (key.trim().to_owned(), value.to_owned()))
                .filter(|(key, _)| !key.is_empty());
            match (name, pair) {
                ("ci.skip", _) => parsed.skip = true,
                ("ci.variable", Some(pair)) => parsed.variables.push(pair),
                ("ci.input", Some(pair)) => parsed.inputs.push(pair),
                _ if name.starts_with("ci.") => parsed.unknown.push(option.to_owned()),
                _ => {}
            }
        }
        parsed
    }
}

/// Whether a commit's message asks for no pipeline: `[ci skip]` or `[skip ci]` in any case,
/// with a space, a hyphen or an underscore between the words.
pub fn skips_ci(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "[ci skip]",
        "[ci-skip]",
        "[ci_skip]",
        "[skip ci]",
        "[skip-ci]",
        "[skip_ci]",
    ]
    .into_iter()
    .any(|marker| message.contains(marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let parsed = PushOptions::parse([
            "ci.variable=A=b",
            "ci.variable=URL=http://x/?a=b",
            "ci.variable=EMPTY=",
            "ci.input=level=high",
            "ci.skip",
            "merge_request.create",
            "ci.variable=NOVALUE",
            "ci.variable==x",
            "ci.unheard",
            "",
        ]);
        assert_eq!(
            parsed,
            PushOptions {
                skip: true,
                variables: vec![
                    pair("A", "b"),
                    pair("URL", "http://x/?a=b"),
                    pair("EMPTY", ""),
                ],
                inputs: vec![pair("level", "high")],
                unknown: ["ci.variable=NOVALUE", "ci.variable==x", "ci.unheard"]
                    .map(str::to_owned)
                    .to_vec(),
            }
        );
    }

    #[test]
    fn messages_that_skip() {
        for (message, expected) in [
            ("Fix [ci skip]", true),
            ("Fix [skip ci]\n\nbody", true),
            ("body\n\n[Skip CI]", true),
            ("[CI-SKIP] x", true),
            ("[[ci skip]]", true),
            ("ci skip", false),
            ("[ci]", false),
            ("[skip ci please]", false),
            ("[ci  skip]", false),
            ("[ci skip", false),
            ("", false),
        ] {
            assert_eq!(skips_ci(message), expected, "{message:?}");
        }
    }
}
