//! Pushing with the real client: new projects, protections, pipelines.

use shipway_pipeline::Status;
use shipway_store::{MemberSource, Page, PipelineFilter, PipelineRow, ProtectedRefRow, RefKind};

use crate::site::{PASSWORD, ROOT_TOKEN, Site, Work};

async fn pipelines(site: &Site, path: &str) -> Vec<PipelineRow> {
    let project = site.project(path).await;
    let filter = PipelineFilter::default();
    let listed = site
        .store()
        .pipelines_of_project(project.id, &filter, Page::first(100));
    listed.await.unwrap().rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_makes_the_project() {
    let site = Site::start().await;
    let ann = site.user("ann").await;
    let team = site.group("team").await;
    site.group("other").await;
    site.member(MemberSource::Namespace, team.0, &ann, 30).await;
    let work = site.work("work");
    for path in ["ann/app", "team/app"] {
        let url = site.clone_url("ann", PASSWORD, path);
        let said = work.said(&["push", &url, "main"]);
        assert!(said.contains(&format!("{}/{path}", site.url)), "{said}");
        let project = site.project(path).await;
        assert_eq!(project.default_branch.as_deref(), Some("main"));
        assert_eq!(project.visibility.as_str(), "private");
        let protected = site.store().protected_refs(project.id).await.unwrap();
        assert_eq!(protected.len(), 1);
        assert_eq!(
            (protected[0].pattern.as_str(), protected[0].push_level),
            ("main", 40)
        );
    }
    for path in [
        "other/app",
        "root/app",
        "nobody/app",
        "team/none/app",
        "ann/badges",
    ] {
        let url = site.clone_url("ann", PASSWORD, path);
        work.refused(&["push", &url, "main"]);
        assert_eq!(
            site.store().project_by_path(path).await.unwrap(),
            None,
            "{path}"
        );
    }
    // A job or a visitor makes nothing.
    let url = format!("{}/ann/new.git", site.url);
    work.refused(&["push", &url, "main"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_branch_is_the_default_one() {
    let site = Site::start().await;
    let work = site.work("work");
    work.ok(&["branch", "-m", "trunk"]);
    let url = site.clone_url("root", ROOT_TOKEN, "root/app");
    work.ok(&["push", "--quiet", &url, "trunk"]);
    let project = site.project("root/app").await;
    assert_eq!(project.default_branch.as_deref(), Some("trunk"));
    let here = work.at(&site.root);
    here.ok(&["clone", "--quiet", &url, "clone"]);
    let clone = work.at(&site.root.join("clone"));
    assert_eq!(clone.ok(&["branch", "--show-current"]), "trunk");
}

/// What a developer sees who tries to push this.
fn refused(work: &Work, url: &str, refspec: &[&str], reason: &str) {
    let complaint = work.refused(&[&["push", url], refspec].concat());
    assert!(complaint.contains(reason), "{refspec:?}: {complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_refs_stay_where_they_are() {
    let site = Site::start().await;
    let ann = site.user("ann").await;
    let work = site.pushed("root/app").await;
    let project = site.project("root/app").await;
    site.member(MemberSource::Project, project.id.0, &ann, 30)
        .await;
    let tags = ProtectedRefRow {
        id: shipway_store::ProtectedRefId(0),
        project_id: project.id,
        kind: RefKind::Tag,
        pattern: "v*".to_owned(),
        push_level: 40,
        merge_level: 40,
    };
    let mut transaction = site.store().begin().await.unwrap();
    transaction.set_protected_ref(&tags).await.unwrap();
    transaction.commit().await.unwrap();

    work.commit("second");
    work.ok(&["tag", "v1"]);
    let ann = site.clone_url("ann", PASSWORD, "root/app");
    let root = site.clone_url("root", ROOT_TOKEN, "root/app");
    refused(
        &work,
        &ann,
        &["main"],
        "not allowed to push code to protected branches",
    );
    refused(&work, &ann, &["v1"], "not allowed to create this tag");
    refused(&work, &ann, &[":main"], "default branch");
    work.ok(&["push", "--quiet", &ann, "main:feature"]);
    work.ok(&["push", "--quiet", &root, "main", "v1"]);
    work.ok(&["commit", "--quiet", "--amend", "--message", "other"]);
    work.ok(&["tag", "--force", "v1"]);
    refused(
        &work,
        &root,
        &["--force", "main"],
        "not allowed to force push",
    );
    refused(
        &work,
        &root,
        &["--force", "v1"],
        "Protected tags cannot be updated.",
    );
    work.ok(&["push", "--quiet", "--force", &ann, "main:feature"]);
    work.ok(&["push", "--quiet", &ann, ":feature"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_starts_pipelines() {
    let site = Site::start().await;
    let work = site.work("work");
    let config = "test:\n  script: make\n";
    std::fs::write(work.path.join(".gitlab-ci.yml"), config).unwrap();
    let head = work.commit("with pipeline");
    let url = site.clone_url("root", ROOT_TOKEN, "root/app");
    let said = work.said(&["push", &url, "main"]);
    let all = pipelines(&site, "root/app").await;
    assert_eq!(all.len(), 1);
    let pipeline = &all[0];
    assert_eq!(pipeline.ref_name, "main");
    assert_eq!(pipeline.sha.as_deref(), Some(head.as_str()));
    assert_eq!(pipeline.source, "push");
    assert!(pipeline.protected, "the default branch is protected before");
    let address = format!("{}/root/app/-/pipelines/{}", site.url, pipeline.id);
    assert!(said.contains(&address), "{said}");

    work.commit("[skip ci]");
    work.ok(&["push", "--quiet", &url, "main"]);
    assert_eq!(
        pipelines(&site, "root/app").await[0].status,
        Status::Skipped
    );

    work.commit("third");
    work.ok(&["push", "--quiet", "-o", "ci.skip", &url, "main"]);
    assert_eq!(
        pipelines(&site, "root/app").await[0].status,
        Status::Skipped
    );

    work.ok(&["tag", "--annotate", "--message", "x", "v1"]);
    let option = "ci.variable=A=b";
    let said = work.said(&["push", "-o", option, "-o", "ci.wrong", &url, "v1"]);
    assert!(said.contains("push option ci.wrong is not known"), "{said}");
    let all = pipelines(&site, "root/app").await;
    assert_eq!(
        (all[0].ref_name.as_str(), all[0].ref_kind.as_str()),
        ("v1", "tag")
    );
    assert_eq!(all[0].sha, Some(work.ok(&["rev-parse", "HEAD"])));
    assert_eq!(all.len(), 4);

    std::fs::write(work.path.join(".gitlab-ci.yml"), "test: {scrip: x}\n").unwrap();
    work.commit("faulty");
    let said = work.said(&["push", &url, "main:faulty"]);
    assert!(said.contains("faulty configuration"), "{said}");
    assert_eq!(pipelines(&site, "root/app").await[0].status, Status::Failed);

    let branches = ["a", "b", "c", "d", "e"].map(|name| format!("v1^{{commit}}:refs/heads/{name}"));
    let branches: Vec<&str> = branches.iter().map(String::as_str).collect();
    let said = work.said(&[&["push", &url], branches.as_slice()].concat());
    assert!(said.contains("4 branches and tags at most"), "{said}");
    assert_eq!(pipelines(&site, "root/app").await.len(), 5 + 4);

    let config = "spec: {inputs: {name: {default: n}}}\n---\n$[[ inputs.name ]]: {script: make}\n";
    std::fs::write(work.path.join(".gitlab-ci.yml"), config).unwrap();
    work.commit("inputs");
    let option = "ci.input=name=given";
    work.ok(&["push", "--quiet", "-o", option, &url, "main"]);
    let newest = pipelines(&site, "root/app").await[0].id;
    let jobs = site.store().jobs(newest).await.unwrap();
    assert_eq!(jobs[0].name, "given");
}
