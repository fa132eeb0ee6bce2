//! Jobs whose sources are fetched by git.

use std::path::{Path, PathBuf};
use std::process::Command;

use shipway_protocol::{GitInfo, JobState, RefType};

use super::{Bench, git_server, plain, write};
use crate::runner::{Runner, Sources};
use crate::testing::RecordingSource;

/// A repository with a commit, and a second one on top of it.
struct Origin {
    directory: tempfile::TempDir,
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.test"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

impl Origin {
    fn new() -> Self {
        let origin = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let path = origin.path();
        std::fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet"]);
        git(&path, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        for number in ["one", "two"] {
            write(&path.join("tracked"), number);
            origin.commit(number);
        }
        origin
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("group/project.git")
    }

    fn commit(&self, message: &str) -> String {
        git(&self.path(), &["add", "."]);
        git(&self.path(), &["commit", "--quiet", "-m", message]);
        git(&self.path(), &["rev-parse", "HEAD"])
    }

    fn info(&self, url: &str, depth: u32) -> GitInfo {
        let refspec = match depth {
            0 => "+refs/heads/*:refs/remotes/origin/*",
            _ => "+refs/heads/main:refs/remotes/origin/main",
        };
        GitInfo {
            repo_url: url.to_owned(),
            ref_name: "main".into(),
            sha: git(&self.path(), &["rev-parse", "HEAD"]),
            ref_type: RefType::Branch,
            refspecs: vec![refspec.into()],
            depth,
            ..GitInfo::default()
        }
    }

    fn file_url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    fn bench(&self, script: &[&str], depth: u32) -> Bench {
        let mut bench = Bench::new(script);
        bench.sources = Sources::Git;
        bench.payload.allow_git_fetch = true;
        bench.payload.git_info = self.info(&self.file_url(), depth);
        bench.config.keep_builds = true;
        bench
    }
}

/// Runs the job once more in the same directories and returns its log.
async fn run(bench: &mut Bench, state: JobState) -> String {
    bench.source = RecordingSource::default();
    let (_canceller, control) = crate::control::control();
    let runner = Runner::new(bench.config.clone());
    let (payload, sources) = (bench.payload.clone(), bench.sources.clone());
    let outcome = runner
        .run_job(payload, sources, &bench.source, 0, control)
        .await;
    let log = plain(&bench.source.log());
    assert_eq!(outcome.state, state, "{log}");
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_job_builds_on_what_the_first_fetched() {
    let origin = Origin::new();
    let mut bench = origin.bench(&["cat tracked; echo; ls; touch untracked"], 20);
    let log = run(&mut bench, JobState::Success).await;
    let short = bench.payload.git_info.sha[..8].to_owned();
    for line in [
        "Getting source from Git repository\n",
        "Fetching changes with git depth set to 20...\n",
        "Created fresh repository.\n",
        &format!("Checking out {short} as detached HEAD (ref is main)...\n"),
        "Skipping Git submodules setup\n",
        "\ntwo\n",
    ] {
        assert!(log.contains(line), "{line:?}: {log}");
    }

    write(&origin.path().join("tracked"), "three");
    bench.payload.git_info.sha = origin.commit("three");
    let log = run(&mut bench, JobState::Success).await;
    assert!(
        log.contains("\nthree\n") && !log.contains("Created fresh"),
        "{log}"
    );
    assert!(!log.contains("\nuntracked\n"), "cleaned: {log}");

    bench.variable("GIT_CLEAN_FLAGS", "none");
    let log = run(&mut bench, JobState::Success).await;
    assert!(log.contains("\nuntracked\n"), "not cleaned: {log}");

    bench.variable("GIT_STRATEGY", "clone");
    let log = run(&mut bench, JobState::Success).await;
    assert!(
        log.contains("Created fresh") && !log.contains("\nuntracked\n"),
        "{log}"
    );

    bench.variable("GIT_STRATEGY", "none");
    let log = run(&mut bench, JobState::Success).await;
    assert!(
        log.contains("Skipping Git repository setup\n") && log.contains("\nuntracked\n"),
        "{log}"
    );

    bench.variable("GIT_STRATEGY", "empty");
    let log = run(&mut bench, JobState::Failed).await;
    assert!(log.contains("creating an empty build directory\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_as_deep_as_asked_for() {
    let origin = Origin::new();
    let mut bench = origin.bench(&["echo commits=$(git rev-list --count HEAD)"], 1);
    let log = run(&mut bench, JobState::Success).await;
    assert!(log.contains("\ncommits=1\n"), "{log}");
    bench.payload.git_info = origin.info(&origin.file_url(), 0);
    let log = run(&mut bench, JobState::Success).await;
    assert!(
        log.contains("\ncommits=2\n") && log.contains("Fetching changes...\n"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_plants_in_its_repository_is_not_run() {
    let origin = Origin::new();
    let mut bench = origin.bench(
        &[
            "mkdir -p .git/hooks",
            "printf '#!/bin/sh\\ntouch %s\\n' \"$PLANTED\" > .git/hooks/post-checkout",
            "chmod +x .git/hooks/post-checkout",
            "git config core.fsmonitor \"touch $PLANTED; false\"",
            "git config core.sshCommand \"touch $PLANTED\"",
            "rm -f .git/HEAD.lock; touch .git/index.lock",
        ],
        1,
    );
    let planted = bench.path("planted");
    bench.variable("PLANTED", &planted.display().to_string());
    run(&mut bench, JobState::Success).await;
    bench.payload.steps[0].script = vec!["true".into()];
    run(&mut bench, JobState::Success).await;
    assert!(!planted.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_repository_is_replaced() {
    let origin = Origin::new();
    let mut bench = origin.bench(
        &["cat tracked; rm -rf .git/objects/*; mkdir .git/objects/pack; echo x > .git/HEAD"],
        1,
    );
    run(&mut bench, JobState::Success).await;
    let log = run(&mut bench, JobState::Success).await;
    assert!(
        log.contains("starting over") || log.contains("Created fresh"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_not_there_fails_the_job_before_its_script() {
    let origin = Origin::new();
    let mut bench = origin.bench(&["echo never-printed"], 1);
    bench.payload.git_info.sha = "1234567890123456789012345678901234567890".into();
    let log = run(&mut bench, JobState::Failed).await;
    assert!(
        log.contains("git checkout ended with") && !log.contains("never-printed"),
        "{log}"
    );
    bench.payload.git_info.sha = "main".into();
    let log = run(&mut bench, JobState::Failed).await;
    assert!(log.contains("no full commit id"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_used_and_seen_nowhere() {
    let origin = Origin::new();
    let url = git_server::serve(origin.directory.path(), "s3cret-token").await;
    let script = [
        "cat tracked; echo",
        "cat .git/config",
        "git remote -v",
        "git fetch --quiet origin main && echo fetched-in-job",
    ];
    let mut bench = origin.bench(&script, 20);
    bench.payload.git_info = origin.info(&format!("{url}/group/project.git"), 20);
    let log = run(&mut bench, JobState::Success).await;
    assert!(
        log.contains("\ntwo\n") && log.contains("\nfetched-in-job\n"),
        "{log}"
    );
    assert!(
        !log.contains("s3cret") && log.contains("url = http://127.0.0.1"),
        "{log}"
    );
    let config = bench.config.builds_dir.join("0/group/project/.git/config");
    assert!(!std::fs::read_to_string(config).unwrap().contains("s3cret"));
    assert!(!bench.config.builds_dir.join("0/group/project.tmp").exists());

    let wrong = url.replace("s3cret-token", "wr0ng-token");
    bench.payload.git_info.repo_url = format!("{wrong}/group/project.git");
    let log = run(&mut bench, JobState::Failed).await;
    assert!(
        log.contains("git fetch ended with") && !log.contains("wr0ng"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submodules_are_fetched_where_asked_for() {
    let library = Origin::new();
    let origin = Origin::new();
    git(
        &origin.path(),
        &["submodule", "--quiet", "add", &library.file_url(), "lib"],
    );
    origin.commit("with submodule");
    let mut bench = origin.bench(&["ls lib; cat lib/tracked"], 0);
    bench.variable("GIT_SUBMODULE_STRATEGY", "none");
    run(&mut bench, JobState::Failed).await;
    bench.variable("GIT_SUBMODULE_STRATEGY", "recursive");
    for _ in 0..2 {
        let log = run(&mut bench, JobState::Success).await;
        assert!(
            log.contains("Updating/initializing submodules recursively...\n"),
            "{log}"
        );
        assert!(log.contains("\ntracked\ntwo"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_of_job_and_configuration_enclose_the_fetch() {
    let origin = Origin::new();
    let mut bench = origin.bench(&["echo in-script"], 1);
    bench.config.scripts = crate::config::RunnerScripts {
        pre_get_sources: Some("echo config-first".into()),
        post_get_sources: Some("cat tracked; echo; echo config-last".into()),
        pre_build: Some("echo before-build".into()),
        post_build: Some("echo after-build".into()),
    };
    for (name, word) in [
        ("pre_get_sources_script", "job-second"),
        ("post_get_sources_script", "job-third"),
    ] {
        bench.payload.hooks.push(shipway_protocol::Hook {
            name: name.into(),
            script: vec![format!("echo {word}")],
        });
    }
    let log = run(&mut bench, JobState::Success).await;
    let mut rest = log.as_str();
    for word in [
        "\nconfig-first\n",
        "\njob-second\n",
        "Checking out",
        "\njob-third\n",
        "\ntwo\n",
        "\nconfig-last\n",
        "\nbefore-build\n",
        "\nin-script\n",
        "\nafter-build\n",
    ] {
        let found = rest
            .find(word)
            .unwrap_or_else(|| panic!("{word:?} in its place: {log}"));
        rest = &rest[found + word.len() - 1..];
    }
}
