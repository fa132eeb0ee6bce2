//! Paths that differ.

mod support;

use support::Sandbox;

#[test]
fn commits_and_the_work_tree_are_compared() {
    let sandbox = Sandbox::new();
    sandbox.write("kept", "1");
    sandbox.write("gone", "1");
    sandbox.write("dir/moved", "a longer text that git would take for moved");
    let first = sandbox.commit("first");
    sandbox.git(&["mv", "dir/moved", "dir/new place"]);
    sandbox.git(&["rm", "--quiet", "gone"]);
    let second = sandbox.commit("second");
    sandbox.write("kept", "2");
    sandbox.write("untracked/ü", "1");
    sandbox.write(".gitignore", "ignored\n");
    sandbox.write("ignored", "1");
    let repository = sandbox.repository();
    let changed = |from: &str, to: Option<&str>| repository.changed_paths(from, to).unwrap();
    let committed = ["dir/moved", "dir/new place", "gone"];
    assert_eq!(changed(&first, Some(&second)).unwrap(), committed);
    assert_eq!(changed("HEAD~", Some("main")).unwrap(), committed);
    let uncommitted = [".gitignore", "kept", "untracked/ü"];
    assert_eq!(changed("HEAD", None).unwrap(), uncommitted);
    assert_eq!(changed(&first, None).unwrap().len(), 6);
    assert_eq!(changed(&second, Some(&second)).unwrap(), [""; 0]);
    assert_eq!(changed("nowhere", None), None);
    assert_eq!(changed("HEAD", Some("--output=x")), None);
    assert_eq!(changed(&"0".repeat(40), None), None);
}

#[test]
fn the_last_commit_that_changed_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("dir/a", "1");
    let first = sandbox.commit("first");
    sandbox.write("b*", "1");
    let second = sandbox.commit("second");
    sandbox.write("b*", "2");
    sandbox.write("bc", "2");
    let repository = sandbox.repository();
    let last = |commit: &str, path: &str| repository.last_change(commit, path).unwrap();
    assert_eq!(last("HEAD", "dir/a"), Some(first.clone()));
    assert_eq!(last("HEAD", "b*"), Some(second));
    assert_eq!(last(&first, "b*"), None);
    assert_eq!(last("HEAD", "bc"), None);
    assert_eq!(last("nowhere", "dir/a"), None);
}

#[test]
fn branches_have_a_commit_in_common() {
    let sandbox = Sandbox::new();
    let first = sandbox.commit("first");
    sandbox.git(&["checkout", "--quiet", "-b", "topic"]);
    sandbox.commit("second");
    sandbox.git(&["checkout", "--quiet", "main"]);
    sandbox.commit("third");
    let repository = sandbox.repository();
    let base = |one: &str, other: &str| repository.merge_base(one, other).unwrap();
    assert_eq!(base("main", "topic"), Some(first.trim().to_owned()));
    assert_eq!(base("main", "nowhere"), None);
}
