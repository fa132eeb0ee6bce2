//! Files of commits.

mod support;

use shipway_git::FileAt;
use support::Sandbox;

#[test]
fn a_commit_is_read_without_a_checkout() {
    let sandbox = Sandbox::new();
    sandbox.write("ci/a.yml", "old");
    sandbox.write("ü", "1");
    let first = sandbox.commit("first");
    sandbox.git(&["tag", "v1"]);
    sandbox.git(&["tag", "-a", "-m", "x", "group/2"]);
    sandbox.write("ci/a.yml", "new and longer");
    let second = sandbox.commit("second");
    sandbox.write("ci/a.yml", "not committed");
    let repository = sandbox.repository();

    for (name, expected) in [
        ("v1", Some(&first)),
        ("group/2", Some(&first)),
        ("main", Some(&second)),
        (first.as_str(), Some(&first)),
        ("none", None),
        ("--help", None),
    ] {
        assert_eq!(
            repository.resolve(name).unwrap().as_ref(),
            expected,
            "{name}"
        );
    }
    for (commit, path, expected) in [
        (&first, "ci/a.yml", FileAt::Content(b"old".to_vec())),
        (&second, "ci/a.yml", FileAt::TooLarge),
        (&first, "ci", FileAt::Missing),
        (&first, "none", FileAt::Missing),
        (&first, "\u{fc}", FileAt::Content(b"1".to_vec())),
    ] {
        let found = repository.file_at(commit, path, 3).unwrap();
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(repository.list_at(&first).unwrap(), ["ci/a.yml", "ü"]);
    assert_eq!(repository.tags().unwrap(), ["group/2", "v1"]);
}

#[test]
fn all_values_of_a_key_are_told() {
    let sandbox = Sandbox::new();
    sandbox.git(&["config", "--add", "shipway.project", "a=1"]);
    sandbox.git(&["config", "--add", "shipway.project", "b=2"]);
    let repository = sandbox.repository();
    let values: Vec<&str> = repository.config_values("shipway.project").collect();
    assert_eq!(values, ["a=1", "b=2"]);
    assert_eq!(repository.config_values("shipway.none").count(), 0);
}
