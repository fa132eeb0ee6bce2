//! Merge requests: their pipelines, what pushes mean for them, merging.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use shipway_coordinator::{
    MergeMethod, MergeOutcome, MergeWish, ProjectSettings, SquashOption, Started, TestCase,
};
use shipway_git::hosting::{Push, RefUpdate};
use shipway_pipeline::{JobId, Source, Status};
use shipway_store::{MergeRequestRow, MergeRequestState, NewMergeRequest, PipelineRow};
use support::{Site, pipeline};

const MERGE_REQUESTS: &str =
    "unit: {script: x, rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]}\n";

/// GitLab's pattern against two pipelines of one push.
const ONE_OF_BOTH: &str = "workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'
    - if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS
      when: never
    - if: $CI_COMMIT_BRANCH
unit: {script: x}
";

impl Site {
    async fn open(&self, source: &str, sha: &str) -> MergeRequestRow {
        let new = NewMergeRequest {
            project_id: self.project.id,
            title: "Draft: more".to_owned(),
            description: "About it".to_owned(),
            source_branch: source.to_owned(),
            target_branch: "main".to_owned(),
            sha: sha.to_owned(),
            author_id: Some(self.user.id),
            created_at: 1,
        };
        let opened = self
            .coordinator
            .open_merge_request(&self.project, Some(&self.user), &new);
        opened.await.unwrap()
    }

    async fn pipelines(&self, row: &MergeRequestRow) -> Vec<PipelineRow> {
        let found = self.store().pipelines_of_merge_request(row.id, 10);
        found.await.unwrap()
    }

    /// What the server does after a push of a commit, which is there.
    async fn pushed(&self, branch: &str, old: &str, new: &str) -> Vec<PipelineRow> {
        let push = Push {
            updates: vec![RefUpdate {
                name: format!("refs/heads/{branch}"),
                old: Some(old.to_owned()),
                new: Some(new.to_owned()),
            }],
            ..Push::default()
        };
        let pushed = self
            .coordinator
            .pushed(&self.project, Some(&self.user), &push);
        pushed.await.unwrap()
    }

    async fn request_now(&self, row: &MergeRequestRow) -> MergeRequestRow {
        let found = self.store().merge_request(self.project.id, row.iid);
        found.await.unwrap().unwrap()
    }

    async fn branch(&self, name: &str, sha: &str) {
        let repository = self.coordinator.repository(&self.project).await.unwrap();
        let reference = format!("refs/heads/{name}");
        repository.create_ref(&reference, sha).await.unwrap();
    }
}

#[tokio::test]
async fn the_pipeline_of_a_merge_request_knows_it() {
    let site = Site::new().await;
    let base = site.commit("First", &[(".gitlab-ci.yml", MERGE_REQUESTS)]);
    let head = site.commit("Second", &[("a.txt", "a")]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let row = site.open("feature", &head).await;
    assert_eq!(row.iid, 1);
    let made = site.pipelines(&row).await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].source, "merge_request_event");
    assert_eq!(made[0].ref_name, "refs/merge-requests/1/head");
    let repository = site.coordinator.repository(&site.project).await.unwrap();
    let kept = repository
        .resolve("refs/merge-requests/1/head")
        .await
        .unwrap();
    assert_eq!(kept.as_deref(), Some(head.as_str()));
    let payload = site
        .coordinator
        .take_job(made[0].id, "runner")
        .await
        .unwrap();
    let payload = payload.expect("a pending job");
    let value = |key: &str| {
        let found = payload.variables.iter().find(|one| one.key == key);
        found.map_or("(none)", |one| one.value.as_str())
    };
    for (key, expected) in [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_IID", "1"),
        ("CI_MERGE_REQUEST_EVENT_TYPE", "detached"),
        ("CI_MERGE_REQUEST_REF_PATH", "refs/merge-requests/1/head"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED", "false"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base),
        ("CI_MERGE_REQUEST_TITLE", "Draft: more"),
        ("CI_MERGE_REQUEST_DESCRIPTION", "About it"),
        ("CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED", "false"),
        ("CI_MERGE_REQUEST_DRAFT", "true"),
        ("CI_MERGE_REQUEST_PROJECT_PATH", "group/app"),
        ("CI_OPEN_MERGE_REQUESTS", "group/app!1"),
        ("CI_COMMIT_REF_NAME", "feature"),
        ("CI_COMMIT_SHA", &head),
        ("CI_COMMIT_BRANCH", "(none)"),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    // Runners fetch it also when the branch is gone.
    assert_eq!(payload.git_info.ref_name, "refs/merge-requests/1/head");
    let expected = format!("+refs/pipelines/{0}:refs/pipelines/{0}", made[0].id);
    assert_eq!(payload.git_info.refspecs, [expected]);
}

#[tokio::test]
async fn a_push_to_the_branch_makes_one_pipeline_where_the_rules_say_so() {
    let site = Site::new().await;
    let base = site.commit("First", &[(".gitlab-ci.yml", ONE_OF_BOTH)]);
    let head = site.commit("Second", &[("a.txt", "a")]);
    let next = site.commit("Third", &[("b.txt", "b")]);
    site.branch("main", &base).await;
    site.branch("feature", &head).await;
    // Without a merge request it is a pipeline of the branch.
    let made = site.pushed("feature", &base, &head).await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].ref_name, "feature");
    let row = site.open("feature", &head).await;
    assert_eq!(site.pipelines(&row).await.len(), 1);
    site.branch("feature", &next).await;
    assert_eq!(site.pushed("feature", &head, &next).await, []);
    let made = site.pipelines(&row).await;
    assert_eq!(made.len(), 2);
    assert_eq!(made[0].sha.as_deref(), Some(next.as_str()));
    assert_eq!(site.request_now(&row).await.sha, next);
    // The older one makes way.
    assert_eq!(site.status(&made[1]).await, Status::Canceled);
    assert_eq!(site.status(&made[0]).await, Status::Pending);
    // Other branches have theirs.
    site.branch("other", &next).await;
    assert_eq!(site.pushed("other", &base, &next).await.len(), 1);
}

#[tokio::test]
async fn changes_are_those_since_the_target_branch() {
    let site = Site::new().await;
    let rule = |path: &str| {
        format!("{{script: x, rules: [{{if: '$CI_MERGE_REQUEST_IID', changes: [{path}]}}]}}")
    };
    let configuration = format!(
        "a: {}\nb: {}\nmain: {}\n",
        rule("a.txt"),
        rule("b.txt"),
        rule("m.txt")
    );
    let base = site.commit(
        "First",
        &[(".gitlab-ci.yml", configuration.as_str()), ("m.txt", "m")],
    );
    let first = site.commit("Second", &[("a.txt", "a")]);
    let head = site.commit("Third", &[("c.txt", "c")]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let row = site.open("feature", &head).await;
    let made = site.pipelines(&row).await;
    let jobs = site.store().jobs(made[0].id).await.unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    // Not only of the last commit, and nothing of the target.
    assert_eq!(names, ["a"]);
    assert_ne!(first, head);
}

#[tokio::test]
async fn merging_moves_the_target_and_makes_its_pipeline() {
    let site = Site::new().await;
    let base = site.commit(
        "First",
        &[(".gitlab-ci.yml", "unit: {script: x}\n"), ("a.txt", "1")],
    );
    let head = site.commit("Second", &[("a.txt", "2")]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let row = site.open("feature", &head).await;
    let merge = async |row: &MergeRequestRow| {
        let merged = site
            .coordinator
            .merge(&site.project, &site.user, row, MergeWish::default());
        merged.await.unwrap()
    };
    let MergeOutcome::Merged(merged) = merge(&row).await else {
        panic!("not merged");
    };
    assert_eq!(merged.state, MergeRequestState::Merged);
    let commit = merged.merge_commit_sha.clone().unwrap();
    let repository = site.coordinator.repository(&site.project).await.unwrap();
    let main = repository.resolve("refs/heads/main").await.unwrap();
    assert_eq!(main.as_deref(), Some(commit.as_str()));
    assert!(repository.is_ancestor(&head, &commit).await.unwrap());
    assert!(repository.is_ancestor(&base, &commit).await.unwrap());
    let info = repository.commits(&[&commit]).await.unwrap();
    assert_eq!(info[0].title(), "Merge branch 'feature' into 'main'");
    let newest = site
        .store()
        .newest_pipeline(site.project.id, "main")
        .await
        .unwrap();
    assert_eq!(newest.unwrap().sha.as_deref(), Some(commit.as_str()));
    let again = site.request_now(&row).await;
    assert_eq!(merge(&again).await, MergeOutcome::NotOpen);

    // Both change the same line.
    let theirs = site.commit("Theirs", &[("a.txt", "4")]);
    site.branch("main", &theirs).await;
    let conflicting = repository_commit(&site, &base).await;
    site.branch("ours", &conflicting).await;
    let row = site.open("ours", &conflicting).await;
    assert_eq!(merge(&row).await, MergeOutcome::Conflict);
    assert_eq!(
        site.request_now(&row).await.state,
        MergeRequestState::Opened
    );

    // What comes into the target by a push is merged too.
    let next = site.commit("Next", &[("b.txt", "b")]);
    site.branch("next", &next).await;
    let row = site.open("next", &next).await;
    site.branch("main", &next).await;
    site.pushed("main", &theirs, &next).await;
    assert_eq!(
        site.request_now(&row).await.state,
        MergeRequestState::Merged
    );
}

#[tokio::test]
async fn environments_of_a_merge_request_stop_with_it() {
    let site = Site::new().await;
    let base = site.commit("First", &[("a.txt", "1")]);
    let configuration =
        "deploy: {script: x, environment: {name: review}, rules: [{if: $CI_MERGE_REQUEST_IID}]}\n";
    let head = site.commit("Second", &[(".gitlab-ci.yml", configuration)]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let row = site.open("feature", &head).await;
    let made = site.pipelines(&row).await;
    let payload = site
        .coordinator
        .take_job(made[0].id, "runner")
        .await
        .unwrap();
    site.succeed(JobId(payload.unwrap().id)).await;
    let state = async || {
        let found = site.store().environment_by_name(site.project.id, "review");
        found.await.unwrap().unwrap().state
    };
    assert_eq!(state().await, shipway_store::EnvironmentState::Available);
    let merged = site
        .coordinator
        .merge(&site.project, &site.user, &row, MergeWish::default());
    assert!(matches!(merged.await.unwrap(), MergeOutcome::Merged(_)));
    assert_eq!(state().await, shipway_store::EnvironmentState::Stopped);
}

/// A commit on top of `base` that changes `a.txt` in its own way.
async fn repository_commit(site: &Site, base: &str) -> String {
    let repository = site.coordinator.repository(&site.project).await.unwrap();
    let git = |args: &[&str], input: &str| {
        use std::io::Write;
        let mut child = std::process::Command::new("git")
            .args(args)
            .current_dir(repository.path())
            .env("GIT_AUTHOR_NAME", "a")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_NAME", "a")
            .env("GIT_COMMITTER_EMAIL", "a@example.com")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let blob = git(&["hash-object", "-w", "--stdin"], "ours");
    let tree = git(&["mktree"], &format!("100644 blob {blob}\ta.txt\n"));
    git(&["commit-tree", &tree, "-p", base], "Ours")
}

#[tokio::test]
async fn a_person_asks_for_a_pipeline_of_a_merge_request() {
    let site = Site::new().await;
    let head = site.commit("First", &[(".gitlab-ci.yml", MERGE_REQUESTS)]);
    site.branch("feature", &head).await;
    let row = site.open("feature", &head).await;
    let again =
        site.coordinator
            .start_merge_request_pipeline(&site.project, Some(&site.user), &row);
    let again = pipeline(again.await.unwrap());
    assert_eq!(again.user_id, Some(site.user.id));
    assert_eq!(site.pipelines(&row).await.len(), 2);
    // A pipeline of the branch has no such job.
    let mut request = site.request(&head);
    request.source = Source::Web;
    let none = site.coordinator.start_pipeline(&request).await.unwrap();
    assert!(matches!(none, Started::None(_)));
}

const WITH_CHILD: &str = "child: {trigger: {include: below.yml}, \
    rules: [{if: $CI_MERGE_REQUEST_IID}]}\n";

const BELOW: &str = "
by-source: {script: x, rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]}
changed: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID, changes: [a.txt]}]}
unchanged: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID, changes: [m.txt]}]}
";

#[tokio::test]
async fn child_pipelines_know_the_merge_request() {
    let site = Site::new().await;
    let files = [
        (".gitlab-ci.yml", WITH_CHILD),
        ("below.yml", BELOW),
        ("m.txt", "m"),
    ];
    let base = site.commit("First", &files);
    site.commit("Second", &[("a.txt", "a")]);
    let head = site.commit("Third", &[("c.txt", "c")]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let row = site.open("feature", &head).await;
    site.coordinator.settle().await.unwrap();
    let made = site.pipelines(&row).await;
    let below = site.store().downstream_of(made[0].id).await.unwrap();
    let child = site.store().pipeline(below[0].pipeline_id).await.unwrap();
    let child = child.unwrap();
    assert_eq!(child.ref_name, "refs/merge-requests/1/head");
    let jobs = site.store().jobs(child.id).await.unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    // Its source is the parent; its changes are those of the merge request.
    assert_eq!(names, ["changed"]);
    let payload = site.coordinator.take_job(child.id, "runner").await.unwrap();
    let payload = payload.expect("a pending job");
    let value = |key: &str| {
        let found = payload.variables.iter().rfind(|one| one.key == key);
        found.map_or("(none)", |one| one.value.as_str())
    };
    for (key, expected) in [
        ("CI_PIPELINE_SOURCE", "parent_pipeline"),
        ("CI_MERGE_REQUEST_IID", "1"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base),
        ("CI_COMMIT_BRANCH", "(none)"),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    assert_eq!(payload.git_info.ref_name, "refs/merge-requests/1/head");
    // It is not one of the merge request's own.
    assert_eq!(site.pipelines(&row).await.len(), 1);
}

/// A report of these tests; a `!` marks one that fails.
fn report(tests: &[&str]) -> String {
    let case = |test: &&str| match test.strip_prefix('!') {
        Some(name) => format!("<testcase classname='c' name='{name}'><failure/></testcase>"),
        None => format!("<testcase classname='c' name='{test}'/>"),
    };
    let cases: String = tests.iter().map(case).collect();
    format!("<testsuite>{cases}</testsuite>")
}

#[tokio::test]
async fn tests_are_compared_with_those_of_the_target() {
    let site = Site::new().await;
    let files = [
        (
            ".gitlab-ci.yml",
            "workflow: {rules: [{when: always}]}\nunit: {script: x}\n\
             child: {trigger: {include: below.yml}}\n",
        ),
        (
            "below.yml",
            "workflow: {rules: [{when: always}]}\nbrowser: {script: x}\n",
        ),
    ];
    let base = site.commit("First", &files);
    let run = async |row: &PipelineRow, unit: &[&str], browser: &[&str]| {
        let job = site.leave(row, "junit", &report(unit)).await;
        site.succeed(job).await;
        let below = site.store().downstream_of(row.id).await.unwrap();
        let child = site.store().pipeline(below[0].pipeline_id).await.unwrap();
        let child = child.unwrap();
        let job = site.leave(&child, "junit", &report(browser)).await;
        site.succeed(job).await;
    };
    let started = site.coordinator.start_pipeline(&site.request(&base)).await;
    let before = pipeline(started.unwrap());
    run(&before, &["good", "!old", "!mended"], &["page"]).await;
    let head = site.commit("Second", &[("a.txt", "a")]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let row = site.open("feature", &head).await;
    let compared = site.coordinator.compare_tests(&site.project, &row);
    assert_eq!(compared.await.unwrap(), None, "no report is there yet");
    let after = site.pipelines(&row).await.remove(0);
    run(&after, &["!good", "!old", "mended"], &["!page", "more"]).await;
    let compared = site.coordinator.compare_tests(&site.project, &row);
    let compared = compared.await.unwrap().expect("both have tests");
    assert_eq!(compared.head.id, after.id);
    assert_eq!(compared.base.map(|base| base.id), Some(before.id));
    assert_eq!(compared.notes, [""; 0]);
    let names = |cases: &[TestCase]| {
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        names.join(" ")
    };
    let found: Vec<_> = (compared.suites.iter())
        .map(|suite| {
            let lists = [&suite.new, &suite.existing, &suite.resolved];
            let lists = lists.map(|list| names(list));
            (suite.name.as_str(), suite.total, lists.join(", "))
        })
        .collect();
    assert_eq!(
        found,
        [
            ("child / browser", 2, "page, , ".to_owned()),
            ("unit", 3, "good, old, mended".to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_pipeline_of_the_branch_speaks_for_its_merge_request() {
    let site = Site::new().await;
    let branches = "unit: {script: x, rules: [{if: $CI_COMMIT_BRANCH}]}\n";
    let base = site.commit("First", &[(".gitlab-ci.yml", branches)]);
    let head = site.commit("Second", &[("a.txt", "a")]);
    site.branch("feature", &head).await;
    site.branch("main", &base).await;
    let made = site.pushed("feature", &base, &head).await;
    let row = site.open("feature", &head).await;
    assert_eq!(site.pipelines(&row).await, []);
    let found = site.coordinator.head_pipeline(&row).await.unwrap();
    assert_eq!(found.map(|one| one.id), Some(made[0].id));
    // Without one of the target every failure is new.
    let job = site.leave(&made[0], "junit", &report(&["!bad"])).await;
    site.succeed(job).await;
    let compared = site.coordinator.compare_tests(&site.project, &row);
    let compared = compared.await.unwrap().expect("there are tests");
    assert_eq!(compared.base, None);
    assert_eq!(compared.suites[0].new.len(), 1);
}

#[tokio::test]
async fn a_project_says_how_it_merges() {
    let mut site = Site::new().await;
    let base = site.commit("First", &[("a.txt", "1")]);
    let middle = site.commit("Second", &[("a.txt", "2")]);
    let head = site.commit("Third", &[("a.txt", "3")]);
    let aside = repository_commit(&site, &base).await;
    let repository = site.coordinator.repository(&site.project).await.unwrap();
    let main = async || {
        repository
            .resolve("refs/heads/main")
            .await
            .unwrap()
            .unwrap()
    };
    let parents = async |sha: &str| {
        let commits = repository.commits(&[sha]).await.unwrap();
        (commits[0].parents.clone(), commits[0].title().to_owned())
    };
    // How, squashed or not, from where the target is: the parents of what main is at then.
    let merged = |row: MergeOutcome| match row {
        MergeOutcome::Merged(row) => row,
        other => panic!("{other:?}"),
    };
    let mut number = 0;
    let mut merge = async |site: &mut Site, method, squash: Option<bool>, target: &str| {
        number += 1;
        let settings = ProjectSettings {
            merge_method: method,
            squash_option: SquashOption::DefaultOff,
            ..ProjectSettings::default()
        };
        site.set(&settings).await;
        let branch = format!("feature-{number}");
        site.branch(&branch, &head).await;
        site.branch("main", target).await;
        let row = site.open(&branch, &head).await;
        let wish = MergeWish {
            squash,
            squash_message: squash.map(|_| "All of it"),
            ..MergeWish::default()
        };
        let done = site
            .coordinator
            .merge(&site.project, &site.user, &row, wish);
        done.await.unwrap()
    };

    // Fast-forward: no commit is made.
    let row = merged(merge(&mut site, MergeMethod::Ff, None, &base).await);
    assert_eq!(
        (&row.merge_commit_sha, &row.squash_commit_sha),
        (&None, &None)
    );
    assert_eq!(main().await, head);
    // Squashed, it is one commit on the target.
    let row = merged(merge(&mut site, MergeMethod::Ff, Some(true), &base).await);
    let squashed = row.squash_commit_sha.clone().unwrap();
    assert_eq!(
        (main().await, &row.merge_commit_sha),
        (squashed.clone(), &None)
    );
    let expected = (vec![base.clone()], "All of it".to_owned());
    assert_eq!(parents(&squashed).await, expected);
    // With a merge commit, of one commit that stands for both.
    let row = merged(merge(&mut site, MergeMethod::Merge, Some(true), &base).await);
    let (merge_commit, squashed) = (
        row.merge_commit_sha.unwrap(),
        row.squash_commit_sha.unwrap(),
    );
    assert_eq!(main().await, merge_commit);
    assert_eq!(
        parents(&merge_commit).await.0,
        [base.clone(), squashed.clone()]
    );
    assert_eq!(parents(&squashed).await.0, std::slice::from_ref(&base));
    let row = merged(merge(&mut site, MergeMethod::RebaseMerge, None, &middle).await);
    let commit = row.merge_commit_sha.unwrap();
    assert_eq!(parents(&commit).await.0, [middle.clone(), head.clone()]);
    // What does not go on from the target is only merged with a merge commit.
    for method in [MergeMethod::Ff, MergeMethod::RebaseMerge] {
        for squash in [None, Some(true)] {
            let refused = merge(&mut site, method, squash, &aside).await;
            assert_eq!(refused, MergeOutcome::NotLinear, "{method:?} {squash:?}");
            assert_eq!(main().await, aside);
        }
    }
}
