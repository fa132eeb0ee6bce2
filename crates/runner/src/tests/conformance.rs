//! What every executor must do: the same functions are called for each.

use std::time::{Duration, Instant};

use shipway_protocol::{FailureReason, Hook, JobState};

use super::{Bench, eventually};
use crate::control::control;

/// Calls every function of the suite as tests of the module it is used in; `$bench` makes
/// a bench for the executor from a script, or says that there is none here.
macro_rules! suite {
    ($bench:path: $($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if $bench(stringify!($name), &[]).await.is_some() {
                    let bench = async |script: &[&str]| $bench("", script).await.unwrap();
                    crate::tests::conformance::$name(bench).await;
                }
            }
        )*
    };
    ($bench:path) => {
        suite!($bench:
            a_script_succeeds, the_exit_code_is_the_jobs, pipefail_holds,
            before_script_and_script_share_a_shell, after_script_is_a_new_shell,
            after_script_sees_the_result, a_failing_after_script_is_a_warning,
            stdin_is_empty, variables_arrive, file_variables_are_files,
            variables_are_handed_on_through_a_file, sources_are_a_copy,
            hooks_run_around_the_sources,
            a_cancelled_job_gets_grace_and_after_script, an_aborted_job_stops_at_once,
            the_job_timeout_ends_everything, the_script_timeout_leaves_time_for_after_script,
            a_background_process_does_not_hold_up_the_job, much_output_arrives_whole,
            binary_output_arrives_whole, a_huge_script_runs, secrets_are_masked,
            a_person_gets_a_shell_where_the_script_fails,
        );
    };
}
pub(crate) use suite;

pub(crate) async fn a_script_succeeds(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["echo hello", "echo oops >&2"]).await;
    let log = bench.succeed().await;
    assert!(
        log.contains("$ echo hello\nhello\n$ echo oops >&2\noops\n"),
        "{log}"
    );
    assert!(log.ends_with("Job succeeded\n"), "{log}");
    assert!(!log.contains("section_"), "{log}");
}

pub(crate) async fn the_exit_code_is_the_jobs(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["echo before", "exit 7", "echo never-printed"]).await;
    let outcome = bench.run().await;
    assert_eq!(outcome.state, JobState::Failed);
    assert_eq!(outcome.failure_reason, Some(FailureReason::ScriptFailure));
    assert_eq!(outcome.exit_code, Some(7));
    assert!(!outcome.canceled);
    let log = bench.log();
    assert!(log.ends_with("ERROR: Job failed: exit code 7\n"), "{log}");
    assert!(!log.contains("never-printed"), "{log}");
}

pub(crate) async fn a_person_gets_a_shell_where_the_script_fails(
    bench: impl AsyncFn(&[&str]) -> Bench,
) {
    let mut bench = bench(&["NAME=inside", "test -e fixed", "echo goes on $NAME"]).await;
    let (person, lines) = tokio::sync::mpsc::unbounded_channel();
    for line in ["echo in $NAME", "touch fixed", "again", "next"] {
        person.send(line.to_owned()).unwrap();
    }
    let shell = crate::FailureShell::new("test".into(), lines);
    bench.config.failure_shell = Some(std::sync::Arc::new(shell));
    let log = bench.succeed().await;
    assert!(log.contains("This is a shell where it failed"), "{log}");
    assert!(log.contains("\nin inside\n"), "{log}");
    assert!(log.contains("\ngoes on inside\n"), "{log}");
}

pub(crate) async fn pipefail_holds(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["(set -o pipefail) 2>/dev/null || exit 1", "false | true"]).await;
    assert_eq!(bench.run().await.exit_code, Some(1));
}

pub(crate) async fn before_script_and_script_share_a_shell(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["cd /", "NAME=value", "echo \"$NAME in $(pwd)\""]).await;
    assert!(bench.succeed().await.contains("\nvalue in /\n"));
}

pub(crate) async fn after_script_is_a_new_shell(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&[
        "cd /",
        "export NAME=value",
        "echo kept > \"$CI_PROJECT_DIR/file\"",
    ])
    .await;
    bench.after_script(&[
        "echo \"<$NAME> $(pwd) $(cat file)\"",
        "echo \"$CI_PROJECT_DIR\"",
    ]);
    let log = bench.succeed().await;
    assert!(log.contains("Running after script...\n"), "{log}");
    assert!(log.contains("<> /"), "{log}");
    assert!(log.contains("/group/project kept\n"), "{log}");
}

pub(crate) async fn after_script_sees_the_result(bench: impl AsyncFn(&[&str]) -> Bench) {
    for (script, status) in [("true", "success"), ("exit 3", "failed")] {
        let mut bench = bench(&["echo was $CI_JOB_STATUS", script]).await;
        bench.after_script(&["echo \"now $CI_JOB_STATUS\""]);
        bench.run().await;
        let log = bench.log();
        assert!(log.contains("was running\n"), "{log}");
        assert!(log.contains(&format!("now {status}\n")), "{log}");
    }
}

pub(crate) async fn a_failing_after_script_is_a_warning(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["true"]).await;
    bench.after_script(&["exit 4"]);
    let log = bench.succeed().await;
    let warning = "WARNING: after_script failed, but job will continue unaffected: exit code 4";
    assert!(log.contains(warning), "{log}");
    bench.source = crate::testing::RecordingSource::default();
    bench.variable("AFTER_SCRIPT_IGNORE_ERRORS", "false");
    assert_eq!(bench.run().await.exit_code, Some(4));
}

pub(crate) async fn stdin_is_empty(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["cat", "read line || echo nothing-there"]).await;
    assert!(bench.succeed().await.contains("\nnothing-there\n"));
}

pub(crate) async fn variables_arrive(bench: impl AsyncFn(&[&str]) -> Bench) {
    let script = "printf '%s|' \"$PLAIN\" \"$NESTED\" \"$RAW\" \"$LINES\" \"$CI_SERVER\"";
    let mut bench = bench(&[script]).await;
    bench.variable("PLAIN", "it's \"a\" $$5");
    bench.variable("NESTED", "<${CI_SERVER}>$NOWHERE");
    bench.variable("RAW", "$PLAIN").raw = true;
    bench.variable("LINES", "one\ntwo");
    bench.variable("BAD\0NAME", "x");
    let log = bench.succeed().await;
    assert!(
        log.contains("it's \"a\" $5|<yes>|$PLAIN|one\ntwo|yes|"),
        "{log}"
    );
    assert!(
        log.contains("WARNING: variable `BAD\\u{0}NAME` is left out"),
        "{log}"
    );
}

pub(crate) async fn file_variables_are_files(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["cat \"$KEY\"", "echo; rm \"$KEY\""]).await;
    bench.variable("KEY", "line 1\nline 2\n").file = true;
    bench.after_script(&["cat \"$KEY\""]);
    let log = bench.succeed().await;
    assert_eq!(log.matches("line 1\nline 2\n").count(), 2, "{log}");
}

pub(crate) async fn variables_are_handed_on_through_a_file(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["printf 'FIRST=1\\nLAST=2' >> \"$GITLAB_ENV\""]).await;
    bench.after_script(&["echo \"<$FIRST$LAST>\""]);
    assert!(bench.succeed().await.contains("<1>"));
}

pub(crate) async fn sources_are_a_copy(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["cat dir/file", "echo changed > dir/file"]).await;
    let snapshot = bench.snapshot(&[("dir/file", "original\n")]);
    for _ in 0..2 {
        let log = bench.succeed().await;
        assert!(log.contains("\noriginal\n"), "{log}");
        assert!(log.contains("Getting sources from a snapshot"), "{log}");
        bench.source = crate::testing::RecordingSource::default();
    }
    let content = std::fs::read_to_string(snapshot.join("dir/file")).unwrap();
    assert_eq!(content, "original\n");
    bench.payload.steps[0].script = vec!["ls -A".into()];
    bench.variable("GIT_STRATEGY", "none");
    let log = bench.succeed().await;
    assert!(log.contains("Skipping Git repository setup\n"), "{log}");
    assert!(!log.contains("\ndir\n"), "{log}");
}

pub(crate) async fn hooks_run_around_the_sources(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["echo script-runs"]).await;
    bench.snapshot(&[("file", ""), ("dir/shipway-test-outside", "")]);
    for (name, line) in [
        (
            "pre_get_sources_script",
            "[ -e file ] || echo before-sources; ln -s / dir",
        ),
        (
            "post_get_sources_script",
            "[ -e file ] && echo after-sources",
        ),
    ] {
        bench.payload.hooks.push(Hook {
            name: name.into(),
            script: vec![line.into()],
        });
    }
    let log = bench.succeed().await;
    let order = ["\nbefore-sources\n", "\nafter-sources\n", "\nscript-runs\n"]
        .map(|line| log.find(line).expect(line));
    assert!(order.is_sorted(), "{log}");
    let outside = std::path::Path::new("/shipway-test-outside");
    assert!(!outside.exists(), "the copy went through a link");
    bench.source = crate::testing::RecordingSource::default();
    bench.payload.hooks[0].script = vec!["exit 9".into()];
    assert_eq!(bench.run().await.exit_code, Some(9));
    assert!(!bench.log().contains("script-runs"));
}

pub(crate) async fn a_cancelled_job_gets_grace_and_after_script(
    bench: impl AsyncFn(&[&str]) -> Bench,
) {
    let mut bench = bench(&[
        "trap 'echo got-term; exit 0' TERM",
        "echo is-ready",
        "sleep 100 & wait",
    ])
    .await;
    bench.after_script(&["echo \"status $CI_JOB_STATUS\""]);
    let (canceller, control) = control();
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(bench.run_under(control), async {
        eventually("ready", || bench.log().contains("\nis-ready\n")).await;
        canceller.cancel();
    });
    assert_eq!(outcome.state, JobState::Failed);
    assert_eq!(outcome.failure_reason, Some(FailureReason::UnknownFailure));
    assert!(outcome.canceled);
    assert!(start.elapsed() < Duration::from_secs(60));
    let log = bench.log();
    assert!(log.contains("\ngot-term\n"), "{log}");
    assert!(
        log.contains("WARNING: script canceled externally (UI, API)"),
        "{log}"
    );
    assert!(log.contains("status canceled\n"), "{log}");
    assert!(log.ends_with("ERROR: Job failed: canceled\n"), "{log}");
}

pub(crate) async fn an_aborted_job_stops_at_once(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["trap '' TERM", "echo is-ready", "while :; do sleep 1; done"]).await;
    bench.config.kill_grace = Duration::from_secs(100);
    bench.after_script(&["echo never-printed"]);
    let (canceller, control) = control();
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(bench.run_under(control), async {
        eventually("ready", || bench.log().contains("\nis-ready\n")).await;
        canceller.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        canceller.abort();
    });
    assert!(outcome.canceled);
    assert!(start.elapsed() < Duration::from_secs(50));
    assert!(!bench.log().contains("\nnever-printed\n"));
}

pub(crate) async fn the_job_timeout_ends_everything(bench: impl AsyncFn(&[&str]) -> Bench) {
    let mut bench = bench(&["echo is-ready", "sleep 100"]).await;
    bench.payload.runner_info.timeout = 3;
    bench.after_script(&["echo never-printed"]);
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::JobExecutionTimeout)
    );
    assert_eq!(outcome.exit_code, None);
    let log = bench.log();
    assert!(
        log.contains("WARNING: step_script could not run to completion"),
        "{log}"
    );
    assert!(!log.contains("\nnever-printed\n"), "{log}");
    assert!(
        log.ends_with("ERROR: Job failed: execution took longer than 3s seconds\n"),
        "{log}"
    );
}

pub(crate) async fn the_script_timeout_leaves_time_for_after_script(
    bench: impl AsyncFn(&[&str]) -> Bench,
) {
    let mut bench = bench(&["sleep 100"]).await;
    bench.variable("RUNNER_SCRIPT_TIMEOUT", "1s");
    bench.after_script(&["echo \"status $CI_JOB_STATUS\""]);
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::JobExecutionTimeout)
    );
    let log = bench.log();
    assert!(log.contains("status timedout\n"), "{log}");
    assert!(
        log.ends_with("ERROR: Job failed: script timeout: context deadline exceeded\n"),
        "{log}"
    );
}

pub(crate) async fn a_background_process_does_not_hold_up_the_job(
    bench: impl AsyncFn(&[&str]) -> Bench,
) {
    let bench = bench(&["sleep 1000 &", "echo done"]).await;
    let start = Instant::now();
    bench.succeed().await;
    assert!(start.elapsed() < Duration::from_secs(30));
}

pub(crate) async fn much_output_arrives_whole(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["head -c 20000000 /dev/zero | tr '\\0' x"]).await;
    let log = bench.succeed().await;
    assert_eq!(
        log.matches('x').count() - log.matches("| tr '\\0' x").count(),
        20_000_000 + extra_x(&log)
    );
}

/// The letter in the runner's own lines.
fn extra_x(log: &str) -> usize {
    log.lines()
        .filter(|line| line.len() < 1000)
        .map(|line| line.matches('x').count() - line.matches("| tr '\\0' x").count())
        .sum()
}

pub(crate) async fn binary_output_arrives_whole(bench: impl AsyncFn(&[&str]) -> Bench) {
    let bench = bench(&["printf '\\000\\377\\376\\200end'"]).await;
    bench.succeed().await;
    let log = bench.source.log_bytes();
    let wanted = b"\x00\xff\xfe\x80end";
    assert!(log.windows(wanted.len()).any(|bytes| bytes == wanted));
}

pub(crate) async fn a_huge_script_runs(bench: impl AsyncFn(&[&str]) -> Bench) {
    let long = format!("TEXT='{}'", "it is long; ".repeat(5 * 1024 * 1024 / 12));
    let mut bench = bench(&[&long, "echo ${#TEXT}"]).await;
    bench.config.output_limit = 1024 * 1024 * 1024;
    assert!(bench.succeed().await.contains("\n5242872\n"));
}

pub(crate) async fn secrets_are_masked(bench: impl AsyncFn(&[&str]) -> Bench) {
    let script =
        "printf '%s' \"$SECRET\" | cut -c1-6 | tr -d '\\n'; sleep 0.2; echo \"$SECRET\" | cut -c7-";
    let mut bench = bench(&["echo \"got $SECRET\"", script, "echo glpat-abc123"]).await;
    bench.variable("SECRET", "hidden-value").masked = true;
    let log = bench.succeed().await;
    assert!(log.contains("got [MASKED]\n"), "{log}");
    assert!(!log.contains("hidden-value"), "{log}");
    assert!(log.contains("glpat-[MASKED]\n"), "{log}");
}
