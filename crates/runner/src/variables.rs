//! A job's variables: their order, their expansion and what of them becomes environment.
//!
//! Expansion follows Go's `os.Expand`: one pass, values are inserted as they are.

use std::collections::HashMap;

use shipway_protocol::Variable;

/// The job's variables after all sources were put in order; later ones win.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    ordered: Vec<Variable>,
    last: HashMap<String, usize>,
    file_directory: String,
}

/// A variable whose value the job reads from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileVariable {
    /// The variable's, and the file's, name.
    pub key: String,
    /// The file's content, expanded.
    pub content: String,
}

impl Variables {
    /// Puts `groups` in order, the later the stronger. `file_directory` is the directory, as
    /// the job sees it, where the files of file variables are.
    pub(crate) fn new(
        groups: impl IntoIterator<Item = Vec<Variable>>,
        file_directory: &str,
    ) -> Self {
        let mut variables = Self {
            file_directory: file_directory.to_owned(),
            ..Self::default()
        };
        variables.extend(groups.into_iter().flatten());
        variables
    }

    /// Adds stronger ones.
    pub(crate) fn extend(&mut self, variables: impl IntoIterator<Item = Variable>) {
        for variable in variables {
            self.last.insert(variable.key.clone(), self.ordered.len());
            self.ordered.push(variable);
        }
    }

    /// The variable as references see it: not expanded, a file variable as its path.
    fn reference(&self, key: &str) -> Option<String> {
        let variable = &self.ordered[*self.last.get(key)?];
        Some(if variable.file {
            self.path_of(&variable.key)
        } else {
            variable.value.clone()
        })
    }

    fn path_of(&self, key: &str) -> String {
        format!("{}/{key}", self.file_directory)
    }

    /// The value the job sees, empty when there is no such variable.
    pub(crate) fn get(&self, key: &str) -> String {
        self.last
            .get(key)
            .map(|index| self.value_of(&self.ordered[*index]))
            .unwrap_or_default()
    }

    fn value_of(&self, variable: &Variable) -> String {
        if variable.file {
            self.path_of(&variable.key)
        } else {
            self.content_of(variable)
        }
    }

    fn content_of(&self, variable: &Variable) -> String {
        if variable.raw {
            variable.value.clone()
        } else {
            self.expand(&variable.value)
        }
    }

    /// `text` with `$NAME` and `${NAME}` replaced; unknown names become empty.
    pub(crate) fn expand(&self, text: &str) -> String {
        expand(text, |name| self.reference(name).unwrap_or_default())
    }

    /// Names and values for the processes of the job, each name once, in order of first
    /// appearance.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut seen = std::collections::HashSet::new();
        self.ordered
            .iter()
            .filter(|variable| seen.insert(variable.key.as_str()))
            .map(|variable| (variable.key.clone(), self.get(&variable.key)))
            .collect()
    }

    /// Names and values for a service: of the job's variables those that are public and no
    /// files, and the service's `own`, expanded like the job's.
    pub(crate) fn of_service(&self, own: &[Variable]) -> Vec<(String, String)> {
        let own = own.iter().cloned().map(|variable| Variable {
            public: true,
            ..variable
        });
        let all = Self::new([self.ordered.clone(), own.collect()], &self.file_directory);
        let is_shown = |key: &str| {
            let variable = &all.ordered[all.last[key]];
            variable.public && !variable.file
        };
        let pairs = all.environment().into_iter();
        pairs.filter(|(key, _)| is_shown(key)).collect()
    }

    /// The variables that need a file, the last of each name.
    pub(crate) fn files(&self) -> Vec<FileVariable> {
        self.ordered
            .iter()
            .enumerate()
            .filter(|(index, variable)| variable.file && self.last[&variable.key] == *index)
            .map(|(_, variable)| FileVariable {
                key: variable.key.clone(),
                content: self.content_of(variable),
            })
            .collect()
    }

    /// What must not appear in the log: the values of masked variables, a file variable's
    /// content included.
    pub(crate) fn masked_values(&self) -> Vec<String> {
        self.ordered
            .iter()
            .filter(|variable| variable.masked)
            .map(|variable| self.content_of(variable))
            .collect()
    }
}

/// A variable of the runner's own making.
pub(crate) fn internal(key: &str, value: impl Into<String>) -> Variable {
    Variable {
        key: key.to_owned(),
        value: value.into(),
        public: true,
        raw: true,
        ..Variable::default()
    }
}

/// Whether `key` can name a shell variable, and thereby a file below the job's directory.
pub(crate) fn is_shell_name(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The variables in a `GITLAB_ENV` file: each complete line `KEY=VALUE`. A last line without
/// line feed is still being written and not read; lines without a name are left out.
pub(crate) fn parse_env_file(content: &str) -> Vec<(String, String)> {
    content
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| is_shell_name(key))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Sets `later` variables in an environment that holds each name once, and keeps it so.
pub(crate) fn override_with(environment: &mut Vec<(String, String)>, later: Vec<(String, String)>) {
    for (key, value) in later {
        match environment.iter_mut().find(|(name, _)| *name == key) {
            Some(found) => found.1 = value,
            None => environment.push((key, value)),
        }
    }
}

/// Go's `os.Expand` with a runner's meaning of special names: `$$` is a dollar sign, the
/// shell's positional and special parameters are empty.
pub(crate) fn expand(text: &str, lookup: impl Fn(&str) -> String) -> String {
    let mut output = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        output.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if after.is_empty() {
            output.push('$');
            return output;
        }
        let (name, length) = reference(after);
        match name {
            "" if length == 0 => output.push('$'),
            // Invalid syntax such as `${}` is swallowed.
            "" => {}
            "$" => output.push('$'),
            name if name.len() == 1 && is_special(name.as_bytes()[0]) => {}
            name => output.push_str(&lookup(name)),
        }
        rest = &after[length..];
    }
    output.push_str(rest);
    output
}

/// The name at the start of what follows a dollar sign, and how many bytes it takes up.
fn reference(text: &str) -> (&str, usize) {
    let bytes = text.as_bytes();
    if bytes[0] == b'{' {
        return match text.find('}') {
            Some(1) => ("", 2),
            Some(end) => (&text[1..end], end + 1),
            None => ("", 1),
        };
    }
    if is_special(bytes[0]) {
        return (&text[..1], 1);
    }
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    (&text[..length], length)
}

fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(key: &str, value: &str) -> Variable {
        Variable {
            key: key.into(),
            value: value.into(),
            ..Variable::default()
        }
    }

    #[test]
    fn text_is_expanded_in_one_pass() {
        let variables = Variables::new(
            [vec![
                variable("A", "one"),
                variable("B", "$A-two"),
                variable("A_B", "three"),
                Variable {
                    file: true,
                    ..variable("F", "content")
                },
            ]],
            "/p.tmp",
        );
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$A", "one"),
            ("${A}x", "onex"),
            ("$A_B/$A.B", "three/one.B"),
            ("$B", "$A-two"),
            ("$$A", "$A"),
            ("$$$A", "$one"),
            ("$UNKNOWN.", "."),
            ("$1$@$#$?$-$!$*$0", ""),
            ("${1}", ""),
            ("a$", "a$"),
            ("a$.b", "a$.b"),
            ("${", ""),
            ("${}", ""),
            ("${A", "A"),
            ("${A:-default}", ""),
            ("$F", "/p.tmp/F"),
            ("ü$Aü", "üoneü"),
            ("$12", "2"),
        ] {
            assert_eq!(variables.expand(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_later_variable_wins_and_raw_values_stay() {
        let variables = Variables::new(
            [
                vec![variable("A", "1"), variable("B", "$A")],
                vec![
                    variable("A", "2"),
                    Variable {
                        raw: true,
                        ..variable("C", "$A")
                    },
                ],
            ],
            "",
        );
        let environment = variables.environment();
        let pairs: Vec<_> = environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("A", "2"), ("B", "2"), ("C", "$A")]);
    }

    #[test]
    fn a_file_variable_is_a_path_and_its_content_is_masked() {
        let variables = Variables::new(
            [vec![
                variable("A", "1"),
                Variable {
                    file: true,
                    masked: true,
                    ..variable("KEY", "key $A")
                },
            ]],
            "/p.tmp",
        );
        assert_eq!(variables.get("KEY"), "/p.tmp/KEY");
        assert_eq!(
            variables.files(),
            [FileVariable {
                key: "KEY".into(),
                content: "key 1".into()
            }]
        );
        assert_eq!(variables.masked_values(), ["key 1"]);
    }

    #[test]
    fn each_name_is_in_an_environment_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = vec![pair("A", "1"), pair("B", "2")];
        override_with(
            &mut environment,
            vec![pair("B", "3"), pair("C", "4"), pair("C", "5")],
        );
        let expected = [pair("A", "1"), pair("B", "3"), pair("C", "5")];
        assert_eq!(environment, expected);
    }

    #[test]
    fn only_complete_lines_of_an_env_file_count() {
        for (content, expected) in [
            ("", vec![]),
            ("A=1\nB=x=y\n", vec![("A", "1"), ("B", "x=y")]),
            ("A=1\nB=2", vec![("A", "1")]),
            ("no name\n=x\nA B=1\n\nC=\n", vec![("C", "")]),
        ] {
            let parsed = parse_env_file(content);
            let pairs: Vec<_> = parsed
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{content:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[${}A1ü*. ]{0,12}") {
            expand(&text, |name| name.to_owned());
        }
    }
}
