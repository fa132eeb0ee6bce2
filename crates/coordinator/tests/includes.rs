//! Files that a configuration includes from elsewhere, on a server.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::time::Duration;

use shipway_coordinator::{Offers, RemoteError};
use shipway_store::{PipelineRow, Visibility};
use support::Site;

const LIBRARY: &str = "include: [{local: more.yml}]\nfrom-library: {script: [x]}\n";
const LIBRARY_FILES: [(&str, &str); 4] = [
    ("ci/test.yml", LIBRARY),
    ("more.yml", "from-more: {script: [x]}\n"),
    (
        "templates/build.yml",
        "spec: {inputs: {word: {}}}\n---\nfrom-component: {script: ['echo $[[ inputs.word ]]']}\n",
    ),
    (".gitlab-ci.yml", "own: {script: [x]}\n"),
];

async fn names(site: &Site, pipeline: &PipelineRow) -> Vec<String> {
    let jobs = site.store().jobs(pipeline.id).await.unwrap();
    let mut names: Vec<String> = jobs.into_iter().map(|job| job.name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_of_another_project_are_of_its_commit() {
    let site = Site::new().await;
    site.add_project("group/lib", Visibility::Internal, None, &LIBRARY_FILES)
        .await;
    let row = site
        .push(
            "include:\n  - {project: group/lib, file: /ci/test.yml}\n  \
             - component: ci.example.org/group/lib/build@main\n    inputs: {word: hello}\n\
             own: {script: [x], rules: [{exists: {paths: [templates/*.yml], project: group/lib}}]}\n",
        )
        .await;
    assert_eq!(row.yaml_errors, None);
    let expected = ["from-component", "from-library", "from-more", "own"];
    assert_eq!(names(&site, &row).await, expected);
}

#[tokio::test]
async fn who_may_not_read_the_code_is_told_that_there_is_no_project() {
    let site = Site::new().await;
    const GUEST: i64 = 10;
    const REPORTER: i64 = 20;
    for (path, visibility, level, may) in [
        ("group/internal", Visibility::Internal, None, true),
        ("group/public", Visibility::Public, None, true),
        ("group/private", Visibility::Private, None, false),
        ("group/guest", Visibility::Private, Some(GUEST), false),
        ("group/reporter", Visibility::Private, Some(REPORTER), true),
    ] {
        site.add_project(path, visibility, level, &LIBRARY_FILES)
            .await;
        let include = format!("include: [{{project: {path}, file: ci/test.yml}}]\n");
        let row = site.push(&format!("{include}own: {{script: [x]}}\n")).await;
        let errors = row.yaml_errors.unwrap_or_default();
        let denied = format!(
            "Project `{path}` not found or access denied! Make sure any includes in the pipeline \
             configuration are correctly defined."
        );
        assert_eq!(errors.contains(&denied), !may, "{path}: {errors}");
        assert_eq!(errors.is_empty(), may, "{path}: {errors}");
    }
    for (include, error) in [
        (
            "{project: group/none, file: a.yml}",
            "Project `group/none` not found or access denied!",
        ),
        (
            "{project: group/public, ref: none, file: ci/test.yml}",
            "Project `group/public` reference `none` does not exist!",
        ),
        (
            "{component: other.example.org/group/public/build@main}",
            "the component path is not supported",
        ),
    ] {
        let row = site
            .push(&format!("include: [{include}]\nown: {{script: [x]}}\n"))
            .await;
        let errors = row.yaml_errors.unwrap_or_default();
        assert!(errors.contains(error), "{include}: {errors}");
    }
}

/// Another host.
fn host(url: &str, bytes: usize, _: Duration) -> Result<String, RemoteError> {
    assert!(bytes > 0);
    match url {
        "https://example.com/a.yml" => Ok(
            "include: [{project: group/public, file: ci/test.yml}]\nremote: {script: [x]}\n"
                .to_owned(),
        ),
        "https://example.com/b.yml" => {
            Ok("include: [{project: group/internal, file: ci/test.yml}]\n".to_owned())
        }
        _ => Err(RemoteError::new("of HTTP code `404` error")),
    }
}

#[tokio::test]
async fn files_of_other_hosts_have_the_rights_of_nobody() {
    let templates = tempfile::tempdir().unwrap();
    let name = templates.path().join("Mine.gitlab-ci.yml");
    std::fs::write(name, "from-template: {script: [x]}\n").unwrap();
    let offers = Offers::new(Some(templates.path().to_owned()), Some(host));
    let site = Site::offering(offers).await;
    site.add_project("group/public", Visibility::Public, None, &LIBRARY_FILES)
        .await;
    site.add_project("group/internal", Visibility::Internal, None, &LIBRARY_FILES)
        .await;
    let row = site
        .push("include: ['https://example.com/a.yml', {template: Mine.gitlab-ci.yml}]\n")
        .await;
    assert_eq!(row.yaml_errors, None);
    let expected = ["from-library", "from-more", "from-template", "remote"];
    assert_eq!(names(&site, &row).await, expected);
    for (url, error) in [
        (
            "https://example.com/b.yml",
            "Project `group/internal` not found or access denied!",
        ),
        ("https://example.com/c.yml", "of HTTP code `404` error"),
    ] {
        let row = site
            .push(&format!("include: '{url}'\nown: {{script: [x]}}\n"))
            .await;
        let errors = row.yaml_errors.unwrap_or_default();
        assert!(errors.contains(error), "{url}: {errors}");
    }
}
