//! What is checked out.

mod support;

use shipway_git::FactsError;
use support::Sandbox;

#[test]
fn a_branch_with_commits() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    let second = sandbox.commit("Add a thing\n\nIt is needed.\nVery.");
    sandbox.git(&[
        "remote",
        "add",
        "origin",
        "https://me:secret@gitlab.example.com/group/sub/app.git",
    ]);
    let facts = sandbox.repository().facts(None).unwrap();
    assert_eq!(facts.sha, Some(second));
    assert_eq!(facts.before_sha, first);
    assert_eq!(
        (facts.branch.as_deref(), facts.tag, facts.detached),
        (Some("main"), None, false)
    );
    assert_eq!(facts.ref_name, "main");
    assert_eq!(facts.title, "Add a thing");
    assert_eq!(facts.message, "Add a thing\n\nIt is needed.\nVery.\n");
    assert_eq!(facts.description, "\nIt is needed.\nVery.");
    assert_eq!(facts.author, "Ann Example <ann@example.com>");
    assert_eq!(facts.timestamp, "2024-02-29T11:00:00Z");
    assert_eq!(facts.default_branch, "main");
    assert_eq!(
        facts.remote_url.as_deref(),
        Some("https://gitlab.example.com/group/sub/app.git")
    );
    assert_eq!(facts.project.path, "group/sub/app");
    assert_eq!(facts.project.host.as_deref(), Some("gitlab.example.com"));
    assert_eq!(facts.user_name.as_deref(), Some("Ann Example"));
    assert_eq!(facts.user_email.as_deref(), Some("ann@example.com"));
}

#[test]
fn a_repository_without_commits_and_without_remote() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "init.defaultBranch", "trunk"]);
    let facts = sandbox.repository().facts(None).unwrap();
    assert_eq!((facts.sha, facts.branch.as_deref()), (None, Some("main")));
    assert_eq!((facts.detached, facts.ref_name.as_str()), (false, "main"));
    assert_eq!(facts.before_sha, "0".repeat(40));
    assert_eq!((facts.title.as_str(), facts.author.as_str()), ("", ""));
    assert_eq!(
        (facts.remote_url, facts.project.path.as_str()),
        (None, "local/work")
    );
    // No branch exists, so none of the usual names does.
    assert_eq!(facts.default_branch, "main");
}

#[test]
fn the_first_commit_has_zeros_before_it() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let facts = sandbox.repository().facts(None).unwrap();
    assert_eq!(facts.before_sha, "0".repeat(40));
}

#[test]
fn a_detached_head_knows_the_tag_that_it_is_exactly_on() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    sandbox.git(&["tag", "light"]);
    let second = sandbox.commit("second");
    sandbox.git(&["tag", "-a", "v1.0", "-m", "Version 1\n\nWith notes."]);
    let third = sandbox.commit("third");
    for (sha, tag, message) in [
        (&first, Some("light"), None),
        (&second, Some("v1.0"), Some("Version 1\n\nWith notes.")),
        (&third, None, None),
    ] {
        sandbox.git(&["checkout", "--quiet", "--detach", sha]);
        let facts = sandbox.repository().facts(None).unwrap();
        assert_eq!(
            (facts.tag.as_deref(), facts.tag_message.as_deref()),
            (tag, message)
        );
        assert_eq!((facts.branch, facts.detached), (None, true));
        assert_eq!(facts.ref_name, tag.unwrap_or(sha));
        assert_eq!(facts.default_branch, "main");
    }
    // On a branch the tag of its commit does not count.
    sandbox.git(&["checkout", "--quiet", "-b", "dev", &second]);
    assert_eq!(sandbox.repository().facts(None).unwrap().tag, None);
}

#[test]
fn a_reference_may_be_a_branch_a_tag_a_remote_branch_or_a_commit() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    sandbox.git(&["tag", "-a", "v1.0", "-m", "Version 1"]);
    sandbox.git(&["branch", "feature/x"]);
    let second = sandbox.commit("second");
    sandbox.git(&["update-ref", "refs/remotes/origin/far", &first]);
    let repository = sandbox.repository();
    for (name, branch, tag, sha) in [
        ("feature/x", Some("feature/x"), None, &first),
        ("refs/heads/main", Some("main"), None, &second),
        ("v1.0", None, Some("v1.0"), &first),
        ("refs/tags/v1.0", None, Some("v1.0"), &first),
        ("far", Some("far"), None, &first),
        (second.as_str(), None, None, &second),
        (&second[..8], None, None, &second),
        ("HEAD~1", None, Some("v1.0"), &first),
        ("HEAD", Some("main"), None, &second),
    ] {
        let facts = repository.facts(Some(name)).unwrap();
        assert_eq!(
            (facts.branch.as_deref(), facts.tag.as_deref()),
            (branch, tag),
            "{name}"
        );
        assert_eq!(facts.sha.as_ref(), Some(sha), "{name}");
        assert_eq!(facts.detached, branch.is_none(), "{name}");
    }
}

#[test]
fn a_reference_that_does_not_exist_is_answered_with_near_names() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    sandbox.git(&["branch", "feature/login"]);
    let repository = sandbox.repository();
    let error = repository.facts(Some("feature/logn")).unwrap_err();
    assert!(matches!(&error, FactsError::NotFound { near, .. } if near == &["feature/login"]));
    assert!(
        error.to_string().contains("did you mean `feature/login`?"),
        "{error}"
    );
    for name in [
        "zzz",
        "",
        "--all",
        "-n1",
        "main:file",
        "a b",
        "*",
        "\u{e9}",
        "../x",
    ] {
        let error = repository.facts(Some(name)).unwrap_err();
        assert!(
            matches!(error, FactsError::NotFound { .. }),
            "{name:?}: {error:?}"
        );
    }
    sandbox.git(&["tag", "main"]);
    let error = sandbox.repository().facts(Some("main")).unwrap_err();
    assert!(matches!(error, FactsError::Ambiguous { .. }), "{error:?}");
}

#[test]
fn a_message_that_is_no_text_and_a_signature_setting_do_no_harm() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "log.showSignature", "true"]);
    sandbox.git(&["config", "i18n.commitEncoding", "ISO-8859-1"]);
    let message = sandbox.root.join("message");
    std::fs::write(&message, b"caf\xe9\n").unwrap();
    sandbox.git(&[
        "commit",
        "--quiet",
        "--allow-empty",
        "-F",
        message.to_str().unwrap(),
    ]);
    assert_eq!(sandbox.repository().facts(None).unwrap().title, "café");
}

#[test]
fn a_repository_whose_head_commit_is_lost_is_an_error() {
    let sandbox = Sandbox::new();
    let sha = sandbox.commit("first");
    let object = format!(".git/objects/{}/{}", &sha[..2], &sha[2..]);
    std::fs::remove_file(sandbox.work.join(object)).unwrap();
    let error = sandbox.repository().facts(None).unwrap_err();
    assert!(matches!(error, FactsError::Git { .. }), "{error:?}");
}
