//! Clones and fetches.

use std::path::Path;

use crate::site::Site;

/// Clones the site into a new directory and returns the ids of the commits there.
fn clone(site: &Site, name: &str, options: &[&str]) -> Vec<String> {
    let url = site.url();
    let mut args = vec!["clone", "--quiet"];
    args.extend_from_slice(options);
    args.extend([url.as_str(), name]);
    site.ok(&site.root, &args);
    commits(site, &site.root.join(name))
}

fn commits(site: &Site, work: &Path) -> Vec<String> {
    let listed = site.ok(work, &["log", "--format=%H"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn every_protocol_version_clones_and_pushes() {
    let (site, work) = Site::with_commits();
    let expected = commits(&site, &work);
    assert_eq!(expected.len(), 2);
    for version in ["0", "1", "2"] {
        let setting = format!("protocol.version={version}");
        site.ok(
            &site.root,
            &["config", "--global", "protocol.version", version],
        );
        assert_eq!(clone(&site, version, &["--config", &setting]), expected);
        let clone = site.root.join(version);
        let new = site.commit(&clone, &format!("from-{version}"));
        site.ok(
            &clone,
            &["push", "--quiet", "origin", &format!("HEAD:v{version}")],
        );
        let line = format!("{new} refs/heads/v{version}");
        assert!(site.refs().contains(&line), "{:?}", site.refs());
    }
}

#[test]
fn protocol_version_2_is_spoken_where_asked_for() {
    let (site, work) = Site::with_commits();
    for (version, expected) in [("2", true), ("0", false)] {
        let setting = format!("protocol.version={version}");
        let mut command = site.command(&work, &["-c", &setting, "ls-remote", "origin"]);
        let output = command.env("GIT_TRACE_PACKET", "1").output().expect("git");
        let trace = String::from_utf8_lossy(&output.stderr);
        assert_eq!(trace.contains("< version 2"), expected, "{trace}");
    }
}

#[test]
fn an_empty_repository_is_cloned_with_its_default_branch() {
    let site = Site::new();
    site.runtime
        .block_on(site.repository().set_default_branch("trunk"))
        .expect("branch");
    site.ok(&site.root, &["clone", "--quiet", &site.url(), "empty"]);
    let branch = site.ok(&site.root.join("empty"), &["symbolic-ref", "HEAD"]);
    assert_eq!(branch, "refs/heads/trunk");
}

#[test]
fn a_shallow_clone_deepens() {
    let (site, work) = Site::with_commits();
    let third = site.commit(&work, "three");
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    assert_eq!(clone(&site, "shallow", &["--depth=1"]), [third]);
    let shallow = site.root.join("shallow");
    site.ok(&shallow, &["fetch", "--quiet", "--deepen=1"]);
    assert_eq!(commits(&site, &shallow).len(), 2);
    site.ok(&shallow, &["fetch", "--quiet", "--unshallow"]);
    assert_eq!(commits(&site, &shallow).len(), 3);
}

#[test]
fn a_shallow_clone_pushes() {
    let (site, _) = Site::with_commits();
    clone(&site, "shallow", &["--depth=1"]);
    let shallow = site.root.join("shallow");
    let new = site.commit(&shallow, "more");
    site.ok(&shallow, &["push", "--quiet", "origin", "HEAD:main"]);
    assert_eq!(site.refs(), [format!("{new} refs/heads/main")]);
}

#[test]
fn a_partial_clone_gets_its_files_when_it_needs_them() {
    let (site, _) = Site::with_commits();
    clone(&site, "partial", &["--filter=blob:none", "--no-checkout"]);
    let partial = site.root.join("partial");
    let missing = site.ok(
        &partial,
        &["rev-list", "--objects", "--missing=print", "HEAD"],
    );
    assert!(missing.contains('?'), "{missing}");
    site.ok(&partial, &["checkout", "--quiet", "main"]);
    assert!(partial.join("two").exists());
}

/// A runner fetches as the runner protocol says (B.5.2), shallow and whole, and the commit
/// stays fetchable when its branch has moved on.
#[test]
fn runners_fetch_the_ref_of_their_pipeline() {
    let (site, work) = Site::with_commits();
    let commit = site.ok(&work, &["rev-parse", "HEAD"]);
    let repository = site.repository();
    site.runtime
        .block_on(repository.create_ref("refs/pipelines/7", &commit))
        .expect("ref");
    site.ok(
        &work,
        &["commit", "--quiet", "--amend", "--message", "other"],
    );
    site.ok(
        &work,
        &["push", "--quiet", "--force", "origin", "main:other"],
    );

    let runner = site.root.join("runner");
    std::fs::create_dir(&runner).expect("runner");
    site.ok(&runner, &["init", "--quiet"]);
    site.ok(&runner, &["remote", "add", "origin", &site.url()]);
    let refspecs = [
        "+refs/pipelines/7:refs/pipelines/7",
        "+refs/heads/main:refs/remotes/origin/main",
    ];
    let fetch = [
        "fetch",
        "--quiet",
        "--prune",
        "--no-recurse-submodules",
        "origin",
    ];
    for depth in [Some("--depth=1"), Some("--unshallow"), None] {
        let mut args = fetch.to_vec();
        args.extend(refspecs);
        args.extend(depth);
        site.ok(&runner, &args);
        site.ok(&runner, &["checkout", "--force", "--quiet", &commit]);
        assert_eq!(site.ok(&runner, &["rev-parse", "HEAD"]), commit);
    }
    site.runtime
        .block_on(repository.delete_refs(&["refs/pipelines/7", "refs/pipelines/8"]))
        .expect("deleted");
    let mut args = fetch.to_vec();
    args.extend(refspecs);
    let complaint = site.refused(&runner, &args);
    assert!(
        complaint.contains("couldn't find remote ref refs/pipelines/7"),
        "{complaint}"
    );
}

/// A list of more than a kilobyte is sent in gzip format.
#[test]
fn a_long_request_is_compressed() {
    let (site, work) = Site::with_commits();
    site.ok(&site.root, &["clone", "--quiet", &site.url(), "other"]);
    let other = site.root.join("other");
    for index in 0..40 {
        site.ok(
            &work,
            &["checkout", "--quiet", "-b", &format!("b{index}"), "main"],
        );
        let message = format!("of {index}");
        site.ok(
            &work,
            &["commit", "--quiet", "--allow-empty", "--message", &message],
        );
    }
    site.ok(&work, &["push", "--quiet", "--all", "origin"]);
    let mut command = site.command(&other, &["fetch", "--quiet", "origin"]);
    let output = command.env("GIT_CURL_VERBOSE", "1").output().expect("git");
    let trace = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{trace}");
    assert!(
        trace.to_lowercase().contains("content-encoding: gzip"),
        "{trace}"
    );
    let branches = site.ok(&other, &["branch", "--remotes"]);
    assert_eq!(branches.lines().count(), 42, "{branches}");
}
