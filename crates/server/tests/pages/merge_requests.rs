//! The page of a merge request: what it does to the tests, and what its jobs expose.

use std::io::Write as _;

use shipway_pipeline::JobId;
use shipway_protocol::{ArtifactSpec, JobState, JobUpdate};
use shipway_store::PipelineRow;

use crate::browser::Browser;
use crate::html;
use crate::site::{ROOT_TOKEN, Site};

/// The path of the project.
const CART: &str = "root/cart";

const CONFIGURATION: &str = "\
unit:
  script: x
  artifacts: {expose_as: 'Coverage report', paths: [htmlcov/index.html]}
lint:
  script: y
";

/// A report of these tests; a `!` marks one that fails.
fn report(tests: &[&str]) -> Vec<u8> {
    let case = |test: &&str| match test.strip_prefix('!') {
        Some(name) => format!(
            "<testcase classname='tests.test_cart' name='{name}'>\
             <failure>assert 3 == 4</failure></testcase>"
        ),
        None => format!("<testcase classname='tests.test_cart' name='{test}'/>"),
    };
    let cases: String = tests.iter().map(case).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    write!(packed, "<testsuite>{cases}</testsuite>").unwrap();
    packed.finish().unwrap()
}

fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("htmlcov/index.html", options).unwrap();
    zip.write_all(b"<h1>93%</h1>").unwrap();
    zip.finish().unwrap().into_inner()
}

/// Runs the first job of a pipeline, which leaves the report and the archive.
async fn run(site: &Site, pipeline: &PipelineRow, tests: &[&str]) {
    let coordinator = site.app.coordinator();
    let payload = coordinator.take_job(pipeline.id, "runner").await.unwrap();
    let job = JobId(payload.expect("a pending job").id);
    for (kind, content) in [("junit", report(tests)), ("archive", archive())] {
        let file = site.root.join(kind);
        std::fs::write(&file, content).unwrap();
        let spec = ArtifactSpec {
            artifact_type: kind.to_owned(),
            ..ArtifactSpec::default()
        };
        let stored = coordinator.store_artifact(job, &spec, kind, &file);
        stored.await.unwrap();
    }
    let update = JobUpdate {
        state: JobState::Success,
        failure_reason: None,
        exit_code: None,
    };
    coordinator.update_job(job, &update).await.unwrap();
}

/// Pushes a branch and opens its merge request, each with tests of their own; the address of
/// the page.
pub(crate) async fn review(site: &Site) -> String {
    let work = site.work("cart");
    std::fs::write(work.path.join(".gitlab-ci.yml"), CONFIGURATION).unwrap();
    work.commit("app.py");
    let url = site.clone_url("root", ROOT_TOKEN, CART);
    work.ok(&["push", "--quiet", &url, "main"]);
    work.ok(&["switch", "--quiet", "--create", "feature/cart"]);
    work.commit("cart.py");
    work.ok(&["push", "--quiet", &url, "feature/cart"]);
    let project = site.project(CART).await;
    let tests: [(&str, &[&str]); 2] = [
        ("main", &["test_add", "!test_empty", "!test_sum"]),
        ("feature/cart", &["!test_add", "!test_empty", "test_sum"]),
    ];
    for (branch, tests) in tests {
        let newest = site.store().newest_pipeline(project.id, branch).await;
        run(site, &newest.unwrap().unwrap(), tests).await;
    }
    let root = Browser::sign_in(site, "root").await;
    let list = format!("/{CART}/-/merge_requests");
    let fields = [
        ("title", "A cart that adds up"),
        ("source_branch", "feature/cart"),
        ("target_branch", "main"),
        ("description", "Things are put into it."),
    ];
    let made = root.submit(&list, &list, &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    made.location
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_request_shows_what_it_does_to_the_tests() {
    let site = Site::start().await;
    let page = review(&site).await;
    let root = Browser::sign_in(&site, "root").await;
    let text = root.see(&page).await;
    let summary = "1 new failure, 1 failed before too, 1 fixed, of 3 tests";
    assert!(text.contains(summary), "{text}");
    let mut at = 0;
    for (word, name) in [
        ("new", "test_add"),
        ("failed before", "test_empty"),
        ("fixed", "test_sum"),
    ] {
        let found = text[at..].find(&format!(">{word}</span>"));
        at += found.unwrap_or_else(|| panic!("{word} is not in {text}"));
        let next = text[at..].find(name).expect("its name");
        assert!(next < 100, "{name} is {word}");
    }
    assert!(text.contains("assert 3 == 4"), "what it said");
    let jobs = format!("/{CART}/-/jobs/");
    let url = html::after(&text, &format!("href=\"{jobs}")).expect("a link");
    assert!(url.ends_with("/artifacts/file/htmlcov/index.html"), "{url}");
    assert!(root.see(&format!("{jobs}{url}")).await.contains("93%"));
    // The pipeline has it too.
    let pipelines = format!("/{CART}/-/pipelines");
    let one = html::after(&text, &format!("href=\"{pipelines}/")).expect("a pipeline");
    let one = one.trim_end_matches("/test_report");
    let pipeline = root.see(&format!("{pipelines}/{one}")).await;
    assert!(pipeline.contains("Coverage report"), "{pipeline}");
    // Who may not see the project sees nothing.
    let stranger = Browser::anonymous(&site).get(&page).await;
    assert_eq!(
        (stranger.status, stranger.text.contains("test_add")),
        (303, false)
    );
    site.stop().await;
}
