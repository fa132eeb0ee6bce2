//! What a server reads of the reports that jobs leave.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use shipway_pipeline::JobId;
use support::{Site, pipeline};

#[tokio::test]
async fn failures_of_the_default_branch_are_counted() {
    let site = Site::new().await;
    let report = "<testsuite><testcase classname='c' name='bad'><failure/></testcase>\
        <testcase classname='c' name='worse'><error/></testcase>\
        <testcase classname='c' name='good'/></testsuite>";
    let sha = site.commit("First", &[(".gitlab-ci.yml", "unit: {script: x}\n")]);
    let run = async |branch: &str| {
        let mut request = site.request(&sha);
        request.reference = format!("refs/heads/{branch}");
        let row = pipeline(site.coordinator.start_pipeline(&request).await.unwrap());
        site.leave(&row, "junit", report).await
    };
    let counts = async |job: JobId, name: &str| {
        let cases = site
            .coordinator
            .test_cases(job)
            .await
            .unwrap()
            .unwrap()
            .cases;
        let found = site
            .coordinator
            .recent_failures(&site.project, name, cases.iter())
            .await
            .unwrap();
        let counts = cases.iter().map(|case| found.of(name, case));
        counts.collect::<Vec<_>>()
    };
    let job = run("feature").await;
    assert_eq!(counts(job, "unit").await, [0, 0, 0]);
    run("main").await;
    run("main").await;
    assert_eq!(counts(job, "unit").await, [2, 2, 0]);
    // The test of another job is another test.
    assert_eq!(counts(job, "other").await, [0, 0, 0]);
    // Nobody asks for them after two weeks.
    let mut transaction = site.store().begin().await.unwrap();
    transaction.delete_test_failures(1).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(site.coordinator.forget_test_failures().await.unwrap(), 0);
    assert_eq!(counts(job, "unit").await, [2, 2, 0]);
}

#[tokio::test]
async fn lines_are_those_of_the_commits_files() {
    let site = Site::new().await;
    let configuration = "unit: {script: x}\nother: {script: y}\n";
    let files = [
        (".gitlab-ci.yml", configuration),
        ("src/app/calc.py", "a\nb\n"),
    ];
    let sha = site.commit("First", &files);
    let started = site.coordinator.start_pipeline(&site.request(&sha)).await;
    let row = pipeline(started.unwrap());
    let report = |source: &str, name: &str, hits: u32| {
        format!(
            "<coverage><sources><source>{source}</source></sources><class filename='{name}'>\
             <lines><line number='1' hits='{hits}'/></lines></class></coverage>"
        )
    };
    site.leave(
        &row,
        "cobertura",
        &report("/builds/group/app/src", "app/calc.py", 2),
    )
    .await;
    site.leave(
        &row,
        "cobertura",
        &report("/tmp/7/app/src/app", "calc.py", 3),
    )
    .await;
    let found = site.coordinator.line_coverage(&site.project, row.id);
    let found = found.await.unwrap();
    assert_eq!(found.faults, [""; 0]);
    let names: Vec<&str> = found.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["src/app/calc.py"]);
    assert_eq!(found.files["src/app/calc.py"][&1], 5);
}
