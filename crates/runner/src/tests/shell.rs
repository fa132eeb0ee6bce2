//! Jobs of the shell executor.

use std::time::{Duration, Instant};

use super::conformance::suite;
use super::{Bench, eventually, is_running};
use crate::control::control;

async fn bench(_name: &str, script: &[&str]) -> Option<Bench> {
    Some(Bench::new(script))
}

suite!(bench);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_left_its_session_is_gone_afterwards() {
    let bench = Bench::new(&[
        "setsid sh -c 'echo $$ > pid; exec sleep 7654.1' >/dev/null 2>&1 &",
        "while ! [ -s pid ]; do sleep 0.01; done",
    ]);
    bench.succeed().await;
    assert!(!is_running("7654.1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_forks_twice_is_gone_while_another_job_lives() {
    let other = Bench::new(&["sleep 3", "echo other-done"]);
    let bench = Bench::new(&[
        "(setsid sh -c 'sleep 7654.2 & echo up > up' >/dev/null 2>&1 &)",
        "while ! [ -s up ]; do sleep 0.01; done",
    ]);
    let (log, ()) = tokio::join!(other.succeed(), async {
        bench.succeed().await;
        assert!(!is_running("7654.2"));
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
