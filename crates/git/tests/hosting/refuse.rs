//! Pushes that are refused leave nothing behind.

use shipway_git::hosting::Limits;

use crate::site::Site;

/// Pushes, expects a refusal with all of the texts, and that nothing changed.
fn refused(site: &Site, work: &std::path::Path, args: &[&str], expected: &[&str]) {
    let (refs, files) = (site.refs(), site.files());
    let complaint = site.refused(work, args);
    for text in expected {
        assert!(complaint.contains(text), "{text} is not in: {complaint}");
    }
    assert_eq!(site.refs(), refs, "{args:?}");
    assert_eq!(site.files(), files, "{args:?}");
    assert_eq!(site.pushes(), [], "{args:?}");
}

#[test]
fn a_protected_branch() {
    let (site, work) = Site::with_commits();
    site.commit(&work, "three");
    let rejected = "[remote rejected] main -> protected (pre-receive hook declined)";
    refused(
        &site,
        &work,
        &["push", "origin", "main:protected"],
        &["remote: Nobody may push to `protected`.", rejected],
    );
}

#[test]
fn one_refused_ref_refuses_the_whole_push() {
    let (site, work) = Site::with_commits();
    site.commit(&work, "three");
    let refspecs = ["main:main", "main:feature", "main:protected"];
    for atomic in [&["--atomic"][..], &[]] {
        let mut args = vec!["push"];
        args.extend(atomic);
        args.push("origin");
        args.extend(refspecs);
        refused(
            &site,
            &work,
            &args,
            &["remote: Nobody may push to `protected`."],
        );
    }
}

/// Whether history is lost is known only when git has the commits.
#[test]
fn a_forced_push_where_only_forward_is_allowed() {
    let (site, work) = Site::with_commits();
    site.ok(&work, &["reset", "--quiet", "--hard", "HEAD~1"]);
    site.commit(&work, "other");
    let rejected = "[remote rejected] main -> main (pre-receive hook declined)";
    refused(
        &site,
        &work,
        &["push", "--force", "origin", "main", "main:feature"],
        &["remote: `refs/heads/main` only moves forward.", rejected],
    );
    // To an older commit, for which no object is sent.
    refused(
        &site,
        &work,
        &["push", "--force", "origin", "HEAD~1:main"],
        &["remote: `refs/heads/main` only moves forward."],
    );
}

/// Names and texts pass through a shell script; they stay text.
#[test]
fn names_that_a_shell_would_run() {
    let (site, work) = Site::with_commits();
    let name = "steady/$(touch${IFS}a)`id`;'\"|&<>!$HOME%s";
    site.ok(
        &work,
        &[
            "push",
            "--quiet",
            "origin",
            &format!("main:refs/heads/{name}"),
        ],
    );
    site.rules.pushes.lock().expect("lock").clear();
    let text = format!("remote: `refs/heads/{name}` only moves forward.");
    let refspec = format!("+main~1:refs/heads/{name}");
    refused(&site, &work, &["push", "origin", &refspec], &[&text]);
}

#[test]
fn a_tag_that_is_there() {
    let (site, work) = Site::with_commits();
    site.ok(&work, &["tag", "v1"]);
    site.ok(&work, &["push", "--quiet", "origin", "v1"]);
    site.rules.pushes.lock().expect("lock").clear();
    site.commit(&work, "three");
    site.ok(&work, &["tag", "--force", "v1"]);
    refused(
        &site,
        &work,
        &["push", "--force", "origin", "v1"],
        &["remote: Tags cannot be moved."],
    );
}

#[test]
fn deleting_the_default_branch() {
    let (site, work) = Site::with_commits();
    refused(
        &site,
        &work,
        &["push", "origin", ":main"],
        &["remote: The default branch of a project cannot be deleted."],
    );
}

#[test]
fn refs_that_are_neither_branches_nor_tags() {
    let (site, work) = Site::with_commits();
    let commit = site.ok(&work, &["rev-parse", "HEAD"]);
    site.runtime
        .block_on(site.repository().create_ref("refs/pipelines/1", &commit))
        .expect("ref");
    site.commit(&work, "three");
    for name in [
        "refs/pipelines/1",
        "refs/pipelines/2",
        "refs/merge-requests/1/head",
        "refs/x",
    ] {
        let reason = format!("remote: Only branches and tags can be pushed, not `{name}`.");
        let refspec = format!("+main:{name}");
        refused(&site, &work, &["push", "origin", &refspec], &[&reason]);
    }
    let hexadecimal = format!("main:refs/heads/{commit}");
    refused(
        &site,
        &work,
        &["push", "origin", &hexadecimal],
        &["remote: A branch cannot have a name of 40 hexadecimal characters"],
    );
    let offered = site.ok(&work, &["ls-remote", "origin", "refs/pipelines/*"]);
    assert!(
        offered.contains("refs/pipelines/1"),
        "runners see it: {offered}"
    );
    let mut command = site.command(
        &work,
        &["push", "--dry-run", "--force", "--mirror", "origin"],
    );
    let output = command.output().expect("git");
    let plan = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!plan.contains("refs/pipelines/1"), "pushers do not: {plan}");
}

#[test]
fn more_bytes_than_allowed() {
    let site = Site::with_limits(Limits {
        push_bytes: 200_000,
        ..Limits::default()
    });
    let work = site.work();
    site.commit(&work, "one");
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    site.rules.pushes.lock().expect("lock").clear();
    std::fs::write(work.join("large"), crate::push::noise(3_000_000)).expect("write");
    site.commit(&work, "large too");
    let limit = "remote: The push has more than 200000 bytes, the limit of this server;";
    let expected = [limit, "exceeds maximum allowed size", "[remote rejected]"];
    refused(&site, &work, &["push", "origin", "main"], &expected);
    // Sent by the byte, not with one length at the beginning.
    let chunked = ["-c", "http.postBuffer=1000", "push", "origin", "main"];
    refused(&site, &work, &chunked, &[limit]);
}

/// A tree that holds `.git` would be written into the checkout's own repository.
#[test]
fn objects_that_would_harm_a_checkout() {
    let (site, work) = Site::with_commits();
    let blob = site.ok(&work, &["rev-parse", "HEAD:one"]);
    let entry = format!("100644 blob {blob}\t.git\n");
    std::fs::write(site.root.join("tree"), entry).expect("write");
    let mut command = site.command(&work, &["mktree"]);
    let input = std::fs::File::open(site.root.join("tree")).expect("open");
    let tree = command.stdin(input).output().expect("mktree");
    let tree = String::from_utf8_lossy(&tree.stdout).trim().to_owned();
    let commit = site.ok(&work, &["commit-tree", "-m", "bad", &tree]);
    let refspec = format!("{commit}:refs/heads/bad");
    refused(
        &site,
        &work,
        &["push", "origin", &refspec],
        &["hasDotgit", "[remote rejected]"],
    );
}
