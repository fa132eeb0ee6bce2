//! Which repository a directory belongs to, and what is said when it has none.

mod support;

use std::os::unix::fs::PermissionsExt;

use shipway_git::{DiscoverError, Repository};
use support::Sandbox;

#[test]
fn a_directory_below_the_top_finds_the_top() {
    let sandbox = Sandbox::new();
    sandbox.write("a/b/file", "");
    for directory in ["", "a", "a/b"] {
        let repository = sandbox.discover(&sandbox.work.join(directory)).unwrap();
        assert_eq!(repository.top(), sandbox.work);
        assert_eq!(repository.git_dir(), sandbox.work.join(".git"));
        assert_eq!(repository.objects_dir(), sandbox.work.join(".git/objects"));
    }
}

#[test]
fn a_linked_work_tree_shares_the_objects_of_the_main_one() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    sandbox.git(&["worktree", "add", "--quiet", "-b", "other", "../linked"]);
    let linked = sandbox.discover(&sandbox.root.join("linked")).unwrap();
    assert_eq!(linked.top(), sandbox.root.join("linked"));
    assert_eq!(linked.git_dir(), sandbox.work.join(".git/worktrees/linked"));
    assert_eq!(linked.objects_dir(), sandbox.work.join(".git/objects"));
    assert_eq!(linked.facts(None).unwrap().branch.as_deref(), Some("other"));
}

#[test]
fn a_path_with_line_breaks_and_bytes_that_are_no_text_is_found() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    sandbox.commit("first");
    let odd = sandbox
        .root
        .join(std::ffi::OsStr::from_bytes(b"line\nbreak \xe9"));
    std::fs::rename(&sandbox.work, &odd).unwrap();
    let repository = sandbox.discover(&odd).unwrap();
    assert_eq!(repository.top(), odd);
    assert_eq!(repository.git_dir(), odd.join(".git"));
    assert_eq!(
        repository.facts(None).unwrap().project.path,
        "local/line-break"
    );
}

#[test]
fn each_fault_is_told_apart_and_names_the_path_and_a_remedy() {
    let sandbox = Sandbox::bare();
    let work = &sandbox.work;
    let fault = |path: &std::path::Path, remedy: &str| {
        let error = sandbox.discover(path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains(remedy), "{text}");
        error
    };
    assert!(matches!(
        fault(work, "git init"),
        DiscoverError::NotARepository(_)
    ));
    let missing = work.join("missing");
    assert!(matches!(
        fault(&missing, "-C"),
        DiscoverError::DirectoryMissing(_)
    ));
    let file = sandbox.write("file", "");
    assert!(matches!(
        fault(&file, "-C"),
        DiscoverError::NotADirectory(_)
    ));
    assert!(matches!(
        fault(&file.join("below"), "-C"),
        DiscoverError::NotADirectory(_)
    ));

    sandbox.git(&["init", "--quiet", "--bare", "../bare.git"]);
    let bare = sandbox.root.join("bare.git");
    assert!(matches!(fault(&bare, "git clone"), DiscoverError::Bare(_)));
    sandbox.git(&["init", "--quiet"]);
    let inside = work.join(".git/objects");
    assert!(matches!(
        fault(&inside, "work tree"),
        DiscoverError::InsideGitDirectory(_)
    ));
}

#[test]
fn a_directory_without_permission_is_named_unless_we_may_read_everything() {
    let sandbox = Sandbox::new();
    let locked = sandbox.work.join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    let found = sandbox.discover(&locked);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(found.unwrap().top(), sandbox.work);
    } else {
        let error = found.unwrap_err();
        assert!(
            matches!(error, DiscoverError::NoPermission { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("locked"), "{error}");
    }
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_machine_without_git_is_told_to_install_it() {
    let sandbox = Sandbox::new();
    let empty = sandbox.root.join("home");
    let environment = vec![("PATH".into(), empty.into_os_string())];
    let error = Repository::discover_with_environment(&sandbox.work, environment).unwrap_err();
    assert!(matches!(error, DiscoverError::GitNotInstalled), "{error:?}");
    assert!(error.to_string().contains("apt install git"), "{error}");
}

#[test]
fn a_repository_of_somebody_else_is_not_trusted_and_gits_remedy_is_passed_on() {
    let sandbox = Sandbox::new();
    let mut environment = sandbox.environment();
    // Git's own switch for testing that the owner is somebody else.
    environment.push(("GIT_TEST_ASSUME_DIFFERENT_OWNER".into(), "1".into()));
    let error =
        Repository::discover_with_environment(&sandbox.work, environment.clone()).unwrap_err();
    assert!(
        matches!(error, DiscoverError::DubiousOwnership { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("safe.directory"), "{error}");

    let trusted = sandbox.root.join("home/trusting");
    std::fs::write(&trusted, "[safe]\n\tdirectory = *\n").unwrap();
    environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    environment.push(("GIT_CONFIG_GLOBAL".into(), trusted.into_os_string()));
    Repository::discover_with_environment(&sandbox.work, environment).unwrap();
}

#[test]
fn a_broken_git_directory_is_an_error_with_gits_own_words() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.work.join(".git/config"), "[core\nbroken").unwrap();
    let error = sandbox.discover(&sandbox.work).unwrap_err();
    assert!(matches!(error, DiscoverError::Git { .. }), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("bad config"), "{source}");
}
