//! The shell text of one stage.
//!
//! The text is read by the shell from its standard input. Its body is one quoted word for
//! `eval`, so that the shell has read everything before the first command runs, and the
//! commands get an empty standard input. Only POSIX quoting and built-in commands are used:
//! bash, dash, ash and busybox all understand it, and no process is spent on it.

use crate::failure_shell;

/// What a stage's script does before its commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScriptOptions<'a> {
    /// The directory to change to, as the job sees it.
    pub directory: &'a str,
    /// `set -o xtrace`, asked for by `CI_DEBUG_TRACE`.
    pub trace: bool,
    /// A green line printed first, such as `Running after script...`.
    pub announcement: Option<&'a str>,
    /// One collapsible section per multi-line command: the prefix of the sections' names.
    pub sections: Option<&'a str>,
    /// Seconds since 1970, for the markers of such sections.
    pub now: u64,
    /// A person gets a shell where a command fails.
    pub failure_shell: bool,
}

/// The script of a stage for these commands, each an element of `script:`.
pub(crate) fn generate(commands: &[String], options: &ScriptOptions<'_>) -> String {
    let mut body = String::new();
    body.push_str(&format!("cd {}\n", quote(options.directory)));
    if let Some(text) = options.announcement {
        body.push_str(&print(&green(text)));
    }
    for (index, command) in commands.iter().enumerate() {
        if options.failure_shell {
            body.push_str(&failure_shell::mark(index));
        }
        body.push_str(&echo(command, index, options));
        body.push_str(command.trim());
        body.push('\n');
    }
    let mut script = String::with_capacity(body.len() + 256);
    script.push_str("set -o errexit\nset +o noclobber\n");
    // A shell without pipefail would end at `set -o pipefail`, hence the try in a subshell;
    // bash, the usual case, saves the fork.
    script.push_str(
        "if [ -n \"${BASH_VERSION:-}\" ] || (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n",
    );
    if options.trace {
        script.push_str("set -o xtrace\n");
    }
    if options.failure_shell {
        script.push_str(&failure_shell::prelude(commands));
    }
    // The group is parsed to its end before it runs, so nothing of the script is left to
    // read when the commands' input becomes empty.
    script.push_str("{ eval ");
    script.push_str(&quote(&body));
    // Both outputs are one, so that a container's engine cannot swap their lines.
    script.push_str("; exit; } </dev/null 2>&1\n");
    script
}

/// The line that shows a command before it runs.
fn echo(command: &str, index: usize, options: &ScriptOptions<'_>) -> String {
    let command = command.trim();
    let Some((first, _)) = command.split_once('\n') else {
        return match command {
            "" => print(""),
            command => print(&green(&format!("$ {command}"))),
        };
    };
    match options.sections {
        None => print(&green(&format!(
            "$ {} # collapsed multi-line command",
            first.trim_end()
        ))),
        Some(prefix) => {
            let (name, now) = (format!("section_{prefix}_{index}"), options.now);
            // No line feed after the end marker: the command's output follows on that line.
            format!(
                "printf %s {}\n",
                quote(&format!(
                    "section_start:{now}:{name}[hide_duration=true,collapsed=true]\r\x1b[0K{}\n\
                 section_end:{now}:{name}\r\x1b[0K",
                    green(&format!("$ {command}"))
                ))
            )
        }
    }
}

fn print(text: &str) -> String {
    format!("printf '%s\\n' {}\n", quote(text))
}

fn green(text: &str) -> String {
    format!("\x1b[32;1m{text}\x1b[0;m")
}

/// `text` as one word of a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b",./@_-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn commands(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn run(shell: &str, texts: &[&str]) -> (String, Option<i32>) {
        let options = ScriptOptions {
            directory: "/",
            ..ScriptOptions::default()
        };
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), generate(&commands(texts), &options)).unwrap();
        let output = Command::new(shell)
            .stdin(std::fs::File::open(script.path()).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            text.replace("\x1b[32;1m", "").replace("\x1b[0;m", ""),
            output.status.code(),
        )
    }

    #[test]
    fn commands_behave_as_on_gitlab() {
        for (texts, expected, code) in [
            (
                &["echo one", "echo two"][..],
                "$ echo one\none\n$ echo two\ntwo\n",
                0,
            ),
            (&["exit 7"], "$ exit 7\n", 7),
            (&["false", "echo no"], "$ false\n", 1),
            (&["cat", "echo end"], "$ cat\n$ echo end\nend\n", 0),
            (&["X=1", "echo $X"], "$ X=1\n$ echo $X\n1\n", 0),
            (
                &["  echo a\necho b\n"],
                "$ echo a # collapsed multi-line command\na\nb\n",
                0,
            ),
            (
                &["(exit 4)\necho no"],
                "$ (exit 4) # collapsed multi-line command\n",
                4,
            ),
            (&[""], "\n", 0),
            (&["echo 'it'\"'\"'s'"], "$ echo 'it'\"'\"'s'\nit's\n", 0),
            (
                &["if false; then echo x; fi", "pwd"],
                "$ if false; then echo x; fi\n$ pwd\n/\n",
                0,
            ),
            (&["exec sh -c 'exit 3'"], "$ exec sh -c 'exit 3'\n", 3),
        ] {
            for shell in ["bash", "sh"] {
                assert_eq!(
                    run(shell, texts),
                    (expected.to_owned(), Some(code)),
                    "{shell} {texts:?}"
                );
            }
        }
    }

    #[test]
    fn a_failure_in_a_pipeline_counts_in_bash() {
        assert_eq!(run("bash", &["false | true"]).1, Some(1));
    }

    #[test]
    fn sections_wrap_the_echo_of_multi_line_commands() {
        let options = ScriptOptions {
            directory: "/",
            sections: Some("script_step"),
            now: 12,
            ..ScriptOptions::default()
        };
        let script = generate(&commands(&["one", "a\nb"]), &options);
        assert!(script.contains(
            "section_start:12:section_script_step_1[hide_duration=true,collapsed=true]\r\x1b[0K\
             \x1b[32;1m$ a\nb\x1b[0;m\nsection_end:12:section_script_step_1\r\x1b[0K"
        ));
        assert!(!script.contains("step_0"));
    }

    #[test]
    fn words_are_quoted_for_every_shell() {
        for (text, expected) in [
            ("", "''"),
            ("a/b-c_d.e@f,g", "a/b-c_d.e@f,g"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quote(text), expected);
        }
    }

    /// Runs a script that gets a failure shell in which this is typed.
    fn typed(shell: &str, texts: &[&str], typed: &str) -> (String, Option<i32>) {
        use std::io::{BufRead, BufReader, Read, Write};
        let options = ScriptOptions {
            directory: "/",
            failure_shell: true,
            ..ScriptOptions::default()
        };
        let mut child = Command::new(shell)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let script = generate(&commands(texts), &options);
        input.write_all(script.as_bytes()).unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        // As a person does, who reads what was printed: some shells read ahead.
        while !text.contains("The line above failed") && output.read_line(&mut text).unwrap() > 0 {}
        // A script that does not fail reads nothing of it.
        let _ = input.write_all(typed.as_bytes());
        drop(input);
        output.read_to_string(&mut text).unwrap();
        let code = child.wait().unwrap().code();
        let text = text.replace("\x1b[32;1m", "").replace("\x1b[0;m", "");
        (text, code)
    }

    #[test]
    fn a_person_gets_a_shell_where_a_line_failed() {
        let script = [
            "NAME=inside; cd /tmp",
            "test -e /tmp/$NAME.$PPID.no || (exit 5)",
            "echo after $NAME",
            "(exit 6)",
            "echo end",
        ];
        for (lines, expected, code) in [
            ("", &["[5] /tmp\n"][..], 5),
            ("exit\n", &["[5] /tmp\n"], 5),
            ("exit 9\n", &["[5] /tmp\n"], 9),
            (
                "echo in $NAME\nfalse\n",
                &["in inside\n[0] /tmp\n", "[1] /tmp\n"],
                5,
            ),
            ("again\n", &["[5] /tmp\n$ test -e", "[5] /tmp\n"], 5),
            (
                "next\n",
                &["$ echo after $NAME\nafter inside\n$ (exit 6)\n[6] /tmp\n"],
                6,
            ),
            ("next\ncd /\nnext\n", &["[0] /\n$ echo end\nend\n"], 0),
            ("cat\necho still\n", &["[0] /tmp\nstill\n"], 5),
        ] {
            for shell in ["bash", "sh"] {
                let (text, found) = typed(shell, &script, lines);
                assert_eq!(found, Some(code), "{shell} {lines:?}: {text}");
                for expected in expected {
                    assert!(
                        text.contains(expected),
                        "{shell} {lines:?} {expected:?}: {text}"
                    );
                }
            }
        }
        assert_eq!(
            typed("sh", &["echo fine"], "echo x\n"),
            ("$ echo fine\nfine\n".into(), Some(0))
        );
    }
}
