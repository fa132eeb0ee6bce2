//! Jobs of the shell executor.

use std::io::Write;
use std::time::{Duration, Instant};

use shipway_protocol::{ArtifactSpec, FailureReason, Hook, Image, Service, When};

use super::conformance::suite;
use super::{Bench, eventually, is_running};
use crate::control::control;
use crate::testing::RecordingSource;

async fn bench(_name: &str, script: &[&str]) -> Option<Bench> {
    Some(Bench::new(script))
}

suite!(bench);

/// A long sleep that no other test run on this machine has started.
fn sleep_of_its_own(number: u32) -> String {
    format!("sleep 7654.{number}{}", std::process::id())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_left_its_session_is_gone_afterwards() {
    let sleep = sleep_of_its_own(1);
    let bench = Bench::new(&[
        &format!("setsid sh -c 'echo $$ > pid; exec {sleep}' >/dev/null 2>&1 &"),
        "while ! [ -s pid ]; do sleep 0.01; done",
    ]);
    bench.succeed().await;
    assert!(!is_running(&sleep));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_forks_twice_is_gone_while_another_job_lives() {
    let sleep = sleep_of_its_own(2);
    let other = Bench::new(&["sleep 3", "echo other-done"]);
    let bench = Bench::new(&[
        &format!("(setsid sh -c '{sleep} & echo up > up' >/dev/null 2>&1 &)"),
        "while ! [ -s up ]; do sleep 0.01; done",
    ]);
    let (log, ()) = tokio::join!(other.succeed(), async {
        bench.succeed().await;
        assert!(!is_running(&sleep));
    });
    assert!(log.contains("\nother-done\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stubborn_script_is_killed_after_the_grace_period() {
    let mut bench = Bench::new(&["trap '' TERM", "echo is-ready", "while :; do sleep 1; done"]);
    bench.config.kill_grace = Duration::from_millis(300);
    let (canceller, control) = control();
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(bench.run_under(control), async {
        eventually("ready", || bench.log().contains("\nis-ready\n")).await;
        canceller.cancel();
    });
    assert!(outcome.canceled);
    assert!(start.elapsed() > Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_of_a_process_substitution_is_not_lost() {
    let bench = Bench::new(&["echo through-tee > >(sleep 0.1; cat)"]);
    assert!(bench.succeed().await.contains("\nthrough-tee\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_is_clean() {
    let mut bench = Bench::new(&["env"]);
    bench.config.shell_environment = vec![
        ("PATH".into(), std::env::var_os("PATH").unwrap()),
        ("HOME".into(), "/h".into()),
    ];
    let log = bench.succeed().await;
    assert!(log.contains("\nHOME=/h\n"), "{log}");
    assert!(!log.contains("CARGO"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_on_one_line_are_cut_with_a_notice() {
    let mut bench = Bench::new(&["head -c 104857600 /dev/zero", "exit 5"]);
    bench.config.output_limit = 1024 * 1024;
    assert_eq!(bench.run().await.exit_code, Some(5));
    let log = bench.source.log();
    assert!(log.len() < 1024 * 1024 + 1024, "{}", log.len());
    assert!(log.contains("Job's log exceeded limit of 1048576 bytes."));
}

#[tokio::test]
async fn what_the_runner_says_stands_on_its_own_line() {
    let bench = Bench::new(&["printf 'no line feed'"]);
    let log = bench.succeed().await;
    assert!(log.contains("\nno line feed\nCleaning up"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_cancelled_before_its_script_hands_nothing_over() {
    let mut bench = Bench::new(&["echo never-printed"]);
    bench.after_script(&["echo never-printed"]);
    bench.payload.hooks = vec![Hook {
        name: "pre_get_sources_script".into(),
        script: vec!["touch file; echo is-ready; sleep 100".into()],
    }];
    bench.payload.artifacts = vec![ArtifactSpec {
        paths: vec!["file".into()],
        when: When::Always,
        ..ArtifactSpec::default()
    }];
    let (canceller, control) = control();
    let (outcome, ()) = tokio::join!(bench.run_under(control), async {
        eventually("ready", || bench.log().contains("\nis-ready\n")).await;
        canceller.cancel();
    });
    assert!(outcome.canceled);
    assert!(bench.source.uploads().is_empty());
    let log = bench.log();
    assert!(!log.contains("never-printed"), "{log}");
    assert!(log.ends_with("ERROR: Job failed: canceled\n"), "{log}");
}

#[tokio::test]
async fn a_job_cancelled_before_it_starts_does_nothing() {
    let mut bench = Bench::new(&["echo never-printed"]);
    bench.after_script(&["echo never-printed"]);
    for abort in [false, true] {
        let (canceller, control) = control();
        match abort {
            true => canceller.abort(),
            false => canceller.cancel(),
        }
        bench.source = RecordingSource::default();
        assert!(bench.run_under(control).await.canceled);
        let log = bench.log();
        assert!(!log.contains("never-printed"), "{log}");
        assert!(log.ends_with("ERROR: Job failed: canceled\n"), "{log}");
    }
}

#[tokio::test]
async fn sections_are_marked_where_they_are_wanted() {
    let mut bench = Bench::new(&["true"]);
    bench.payload.features.trace_sections = true;
    bench.after_script(&["true"]);
    bench.run().await;
    let log = bench.source.log();
    let names = |kind: &str| -> Vec<String> {
        log.split(kind)
            .skip(1)
            .map(|rest| rest.split([':', '\r']).nth(1).unwrap().to_owned())
            .collect()
    };
    let starts = names("section_start:");
    assert_eq!(starts, names("section_end:"), "{log:?}");
    assert_eq!(
        starts,
        [
            "prepare_executor",
            "prepare_script",
            "get_sources",
            "step_script",
            "after_script",
            "cleanup_file_variables"
        ]
    );
}

#[tokio::test]
async fn the_log_of_a_job_reads_like_gitlabs() {
    let mut bench = Bench::new(&["echo hello"]);
    bench.config.description = "host".into();
    bench.config.version = "1".into();
    assert_eq!(
        bench.succeed().await,
        "Running with shipway 1\n  on host\nPreparing the \"shell\" executor\n\
         Using Shell (bash) executor...\nPreparing environment\nRunning on host...\n\
         Getting source from Git repository\n\
         Skipping Git repository setup and creating an empty build directory\n\
         Executing \"step_script\" stage of the job script\n$ echo hello\nhello\n\
         Cleaning up project directory and file based variables\nJob succeeded\n"
    );
}

#[tokio::test]
async fn jobs_run_side_by_side_as_tasks() {
    let jobs: Vec<_> = (0..4)
        .map(|number| {
            tokio::spawn(async move {
                Bench::new(&[&format!("echo job-{number}-done")])
                    .succeed()
                    .await
            })
        })
        .collect();
    for (number, job) in jobs.into_iter().enumerate() {
        let log = job.await.unwrap();
        assert!(log.contains(&format!("\njob-{number}-done\n")), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_runner_left_is_swept() {
    let bench = Bench::new(&[]);
    let slot = bench.config.builds_dir.join("0");
    super::write(&slot.join("group/project/file"), "");
    super::write(&bench.config.builds_dir.join("0.lock"), "");
    // As a runner killed with SIGKILL leaves it: the job's process lives on.
    let mut child = std::process::Command::new("sleep")
        .arg("7654.3")
        .env("SHIPWAY_JOB_MARKER", format!("{}:1-1", slot.display()))
        .spawn()
        .unwrap();
    let swept = crate::Runner::new(bench.config.clone()).sweep().await;
    assert_eq!((swept.processes, swept.directories), (1, 1));
    assert!(!child.wait().unwrap().success());
    assert_eq!(
        std::fs::read_dir(&bench.config.builds_dir).unwrap().count(),
        0
    );
    let again = crate::Runner::new(bench.config.clone()).sweep().await;
    assert_eq!(again, crate::Swept::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_takes_no_log_ends_the_job() {
    let mut bench = Bench::new(&["while :; do echo more; sleep 0.01; done"]);
    bench.source = RecordingSource::refusing_traces();
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(!outcome.canceled);
}

#[tokio::test]
async fn an_image_is_named_when_a_shell_is_asked_for() {
    let mut bench = Bench::new(&["true"]);
    bench.payload.image = Some(Image {
        name: "python:$CI_SERVER".into(),
        ..Image::default()
    });
    let log = bench.succeed().await;
    let line = "WARNING: image python:yes is not used: this job runs in a shell of this machine\n";
    assert!(log.contains(line), "{log}");
}

#[tokio::test]
async fn services_are_not_started_for_a_shell() {
    let mut bench = Bench::new(&["true"]);
    bench.payload.services = vec![Service::default()];
    let log = bench.succeed().await;
    assert!(log.contains("WARNING: services are not started"), "{log}");
}

#[tokio::test]
async fn a_project_path_that_leads_out_is_refused() {
    let mut bench = Bench::new(&["true"]);
    bench.payload.job_info.project_full_path = "../../etc".into();
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(bench.log().contains("`../../etc` is not a project path"));
}

#[tokio::test]
async fn a_machine_without_shell_is_named() {
    let mut bench = Bench::new(&["true"]);
    bench.config.shell_environment = vec![("PATH".into(), "/nowhere".into())];
    let outcome = bench.run().await;
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(
        bench
            .log()
            .contains("there is neither `bash` nor `sh` in PATH (/nowhere)")
    );
}

#[tokio::test]
async fn variables_too_large_for_the_system_say_so() {
    let mut bench = Bench::new(&["true"]);
    bench.variable("BIG", &"x".repeat(4 << 20));
    bench.run().await;
    let log = bench.log();
    assert!(log.contains("use file variables for long values"), "{log}");
}

#[tokio::test]
async fn a_full_disk_fails_the_job_and_says_so() {
    let mut bench = Bench::new(&["true"]);
    bench.snapshot(&[("big", &"x".repeat(4 << 20))]);
    std::fs::create_dir(&bench.config.builds_dir).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "shipway-test"])
        .arg(&bench.config.builds_dir)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        let line =
            b"skipped: tests::shell::a_full_disk_fails_the_job_and_says_so: cannot mount a tmpfs\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    }
    let outcome = bench.run().await;
    let log = bench.log();
    std::process::Command::new("umount")
        .arg(&bench.config.builds_dir)
        .status()
        .unwrap();
    assert_eq!(
        outcome.failure_reason,
        Some(FailureReason::RunnerSystemFailure)
    );
    assert!(log.contains("the disk of "), "{log}");
    assert!(log.contains(" is full"), "{log}");
}

#[tokio::test]
async fn a_job_may_choose_where_its_project_is() {
    let mut bench = Bench::new(&[
        "pwd",
        "cat source",
        "echo built > out",
        "ls -d \"$CI_PROJECT_DIR.tmp\"",
    ]);
    bench.snapshot(&[("source", "from-snapshot\n")]);
    bench.variable(
        "GIT_CLONE_PATH",
        "$CI_BUILDS_DIR/go/src/$CI_CONCURRENT_ID/tool",
    );
    let log = bench.succeed().await;
    let place = bench.config.builds_dir.join("go/src/0/tool");
    assert!(log.contains(&format!("\n{}\n", place.display())), "{log}");
    assert!(log.contains("\nfrom-snapshot\n"), "{log}");
    for (path, allowed, text) in [
        ("/elsewhere", true, "has to be within"),
        (
            "$CI_BUILDS_DIR/p",
            false,
            "setting GIT_CLONE_PATH is not allowed",
        ),
        ("$CI_BUILDS_DIR/7/p", true, "which is another job's"),
        ("$CI_BUILDS_DIR/0", true, "which is another job's"),
    ] {
        let mut bench = Bench::new(&["true"]);
        bench.config.custom_build_dir = allowed;
        bench.variable("GIT_CLONE_PATH", path);
        let outcome = bench.run().await;
        assert_eq!(
            outcome.failure_reason,
            Some(FailureReason::RunnerSystemFailure)
        );
        assert!(bench.log().contains(text), "{}", bench.log());
    }
}

#[tokio::test]
async fn lines_have_their_times_where_that_is_asked_for() {
    let mut bench = Bench::new(&["echo said", "printf 'no end'"]);
    bench.variable("FF_TIMESTAMPS", "true");
    bench.payload.features.trace_sections = true;
    let log = bench.succeed().await;
    let lines: Vec<&str> = log.lines().skip(2).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        assert_eq!(&line[26..28], "Z ", "{log}");
        assert!(matches!(&line[28..32], "00O " | "01O "), "{log}");
    }
    assert!(
        lines.iter().any(|line| line.ends_with("Z 01O said")),
        "{log}"
    );
    assert!(
        lines.iter().any(|line| line.ends_with("Z 01O no end")),
        "{log}"
    );
    bench.source = RecordingSource::default();
    bench.config.feature_flags = [("FF_TIMESTAMPS".to_owned(), false)].into();
    assert!(bench.succeed().await.contains("\nsaid\n"));
}
