//! Snapshots of real work trees, and that taking one leaves no trace in them.

mod support;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use shipway_git::{Contents, FactsError, Snapshot, SnapshotError};
use support::{Entry, Sandbox, listing, names, read};

/// A work tree with a change of every kind.
fn busy() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "ignored/\n*.pyc\n");
    for name in ["a.py", "b.py", "gone.py", "removed.py", "src/deep/c.py"] {
        sandbox.write(name, "old");
    }
    sandbox.commit("first");
    sandbox.write("b.py", "edited");
    sandbox.write("src/deep/c.py", "staged");
    sandbox.write("added.py", "new");
    sandbox.git(&["add", "src/deep/c.py", "added.py"]);
    std::fs::remove_file(sandbox.work.join("gone.py")).expect("remove");
    sandbox.git(&["rm", "--quiet", "removed.py"]);
    sandbox.write("untracked.txt", "u");
    sandbox.write("new dir/x", "u");
    sandbox.write("ignored/secret", "i");
    sandbox.write("a.pyc", "i");
    sandbox
}

#[test]
fn the_work_tree_is_taken_with_its_changes_and_without_what_is_ignored() {
    let sandbox = busy();
    let snapshot = sandbox.snapshot();
    let directory = &snapshot.directory;
    assert_eq!(
        names(directory),
        [
            ".gitignore",
            "a.py",
            "added.py",
            "b.py",
            "new dir/x",
            "src/deep/c.py",
            "untracked.txt"
        ]
    );
    assert_eq!(read(&directory.join("b.py")), "edited");
    assert_eq!(read(&directory.join("src/deep/c.py")), "staged");
    let summary = &snapshot.summary;
    assert_eq!(
        (
            summary.modified,
            summary.added,
            summary.deleted,
            summary.untracked
        ),
        (2, 1, 2, 2)
    );
    assert_eq!(
        summary.to_string(),
        "7 files, 2 modified, 1 added, 2 deleted, 2 untracked"
    );
    assert_eq!(snapshot.sha, Some(sandbox.git(&["rev-parse", "HEAD"])));
}

#[test]
fn a_clean_tree_is_told_in_few_words() {
    let sandbox = Sandbox::new();
    sandbox.write("only", "x");
    sandbox.commit("first");
    assert_eq!(sandbox.snapshot().summary.to_string(), "1 file");
}

#[test]
fn nothing_is_written_into_the_users_tree_or_git_directory() {
    let sandbox = busy();
    // A stale index is what tempts git to write: the file is as new as the index.
    sandbox.write("a.py", "old");
    let before = listing(&sandbox.work);
    let repository = sandbox.repository();
    repository.facts(None).unwrap();
    repository.facts(Some("main")).unwrap();
    sandbox.snapshot();
    let second = sandbox.root.join("second");
    let commit = Contents::Commit("HEAD".to_owned());
    Snapshot::take(&repository, &sandbox.work, commit.clone(), &second, &[]).unwrap();
    let third = sandbox.root.join("third");
    Snapshot::take(&repository, &sandbox.work.join("src"), commit, &third, &[]).unwrap();
    assert_eq!(listing(&sandbox.work), before);
}

#[test]
fn git_works_in_a_snapshot_and_cannot_reach_the_users_repository() {
    let sandbox = busy();
    sandbox.git(&["tag", "-a", "v1.0", "-m", "one"]);
    sandbox.git(&[
        "remote",
        "add",
        "origin",
        "https://u:secret@host/group/app.git",
    ]);
    sandbox.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    sandbox.git(&[
        "symbolic-ref",
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/main",
    ]);
    sandbox.write(".git/hooks/post-commit", "#!/bin/sh\ntouch /nonexistent\n");
    let snapshot = sandbox.snapshot();
    assert!(snapshot.has_git);
    let git = |args: &[&str]| sandbox.git_in(&snapshot.directory, args);
    let before = listing(&sandbox.work);
    assert_eq!(git(&["describe"]), "v1.0");
    assert_eq!(
        git(&["rev-parse", "HEAD"]),
        sandbox.git(&["rev-parse", "HEAD"])
    );
    assert_eq!(git(&["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD");
    assert_eq!(git(&["log", "--format=%s"]), "first");
    assert_eq!(
        git(&["config", "remote.origin.url"]),
        "https://host/group/app.git"
    );
    assert_eq!(
        git(&["rev-parse", "origin/HEAD"]),
        sandbox.git(&["rev-parse", "HEAD"])
    );
    assert_eq!(
        git(&["status", "--porcelain"]),
        " M b.py\n D gone.py\n D removed.py\n M src/deep/c.py\n?? added.py\n?? \"new dir/\"\n?? untracked.txt"
    );
    assert_eq!(
        git(&["diff", "--stat", "origin/main", "--", "b.py"])
            .lines()
            .count(),
        2
    );
    git(&[
        "-c",
        "user.name=job",
        "-c",
        "user.email=j@x",
        "commit",
        "--quiet",
        "-am",
        "by a job",
    ]);
    git(&["tag", "job-tag"]);
    git(&["gc", "--quiet", "--prune=now"]);
    git(&["fsck", "--strict"]);
    // Git may renew the time of an object that a job writes once more, to keep it from being
    // pruned; nothing else changes.
    let without_times = |entries: BTreeMap<PathBuf, Entry>| -> Vec<_> {
        let entries = entries.into_iter();
        entries
            .map(|(path, (mode, size, _, target))| (path, mode, size, target))
            .collect()
    };
    assert!(without_times(listing(&sandbox.work)) == without_times(before));
    assert!(!read(&snapshot.directory.join(".git/config")).contains("secret"));
    assert!(!snapshot.directory.join(".git/hooks").exists());
}

#[test]
fn a_repository_without_commits_gives_a_snapshot_on_its_unborn_branch() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    let snapshot = sandbox.snapshot();
    assert_eq!((snapshot.sha, snapshot.has_git), (None, true));
    assert_eq!(snapshot.summary.to_string(), "1 file, 1 untracked");
    assert_eq!(
        sandbox.git_in(&snapshot.directory, &["symbolic-ref", "HEAD"]),
        "refs/heads/main"
    );

    let empty = Sandbox::new();
    assert_eq!(empty.snapshot().summary.to_string(), "0 files");
}

#[test]
fn links_modes_and_odd_names_survive() {
    let sandbox = Sandbox::new();
    let script = sandbox.write("script.sh", "#!/bin/sh\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let odd = OsStr::from_bytes(b"line\nbreak \xe9 \"quoted\"");
    std::fs::write(sandbox.work.join(odd), "odd").unwrap();
    symlink("/etc/passwd", sandbox.work.join("link")).unwrap();
    sandbox.commit("first");
    symlink("script.sh", sandbox.work.join("untracked-link")).unwrap();
    let untracked = OsStr::from_bytes(b"new\n\xff");
    std::fs::write(sandbox.work.join(untracked), "new").unwrap();
    let directory = sandbox.snapshot().directory;
    assert_eq!(
        directory.join("script.sh").metadata().unwrap().mode() & 0o777,
        0o755
    );
    assert_eq!(read(&directory.join(odd)), "odd");
    assert_eq!(read(&directory.join(untracked)), "new");
    assert_eq!(
        directory.join("link").read_link().unwrap().to_str(),
        Some("/etc/passwd")
    );
    assert!(directory.join("untracked-link").is_symlink());
}

#[test]
fn a_directory_that_became_a_link_is_not_followed() {
    let sandbox = Sandbox::new();
    sandbox.write("data/file", "inside");
    sandbox.commit("first");
    std::fs::remove_dir_all(sandbox.work.join("data")).unwrap();
    std::fs::write(sandbox.root.join("home/file"), "outside").unwrap();
    symlink(sandbox.root.join("home"), sandbox.work.join("data")).unwrap();
    // Git no longer looks at the file, so it does not report that it is gone.
    sandbox.git(&["update-index", "--assume-unchanged", "data/file"]);
    let directory = sandbox.snapshot().directory;
    assert!(!directory.join("data").exists() || directory.join("data").is_symlink());
}

#[test]
fn a_project_below_the_top_gets_its_own_files_only() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitattributes", "*.txt text eol=crlf\n");
    sandbox.write("apps/one/file.txt", "a\n");
    sandbox.write("apps/one/sub/x", "x");
    sandbox.write("apps/two/file", "two");
    sandbox.commit("first");
    sandbox.write("apps/one/new", "n");
    sandbox.write("apps/one/sub/x", "edited");
    sandbox.write("top-level-untracked", "n");
    let repository = sandbox.repository();
    let project = sandbox.work.join("apps/one");
    let take = |what, into: &str| {
        Snapshot::take(&repository, &project, what, &sandbox.root.join(into), &[]).unwrap()
    };
    let tree = take(Contents::WorkTree, "tree");
    assert_eq!(names(&tree.directory), ["file.txt", "new", "sub/x"]);
    assert_eq!(read(&tree.directory.join("sub/x")), "edited");
    assert_eq!(
        (tree.has_git, tree.directory.join(".git").exists()),
        (false, false)
    );
    assert_eq!(tree.summary.to_string(), "3 files, 1 modified, 1 untracked");

    let commit = take(Contents::Commit("main".to_owned()), "commit");
    assert_eq!(names(&commit.directory), ["file.txt", "sub/x"]);
    assert_eq!(read(&commit.directory.join("sub/x")), "x");
    // The attributes at the top count although they are not part of the project.
    assert_eq!(read(&commit.directory.join("file.txt")), "a\r\n");
    assert_eq!(commit.summary.to_string(), "2 files");

    sandbox.write("apps/later/x", "x");
    let later = sandbox.work.join("apps/later");
    let into = sandbox.root.join("later");
    let error = Snapshot::take(
        &repository,
        &later,
        Contents::Commit("HEAD".to_owned()),
        &into,
        &[],
    )
    .unwrap_err();
    assert!(
        matches!(error, SnapshotError::NotInCommit { .. }),
        "{error:?}"
    );
}

#[test]
fn a_commit_is_taken_as_a_clone_would_have_it() {
    let sandbox = busy();
    sandbox.write(".gitattributes", "*.up filter=upper\n");
    sandbox.write("text.up", "loud");
    sandbox.git(&["config", "filter.upper.smudge", "tr a-z A-Z"]);
    sandbox.git(&["config", "filter.upper.clean", "tr A-Z a-z"]);
    sandbox.git(&["checkout", "--quiet", "-b", "filtered"]);
    let sha = sandbox.commit("filtered");
    sandbox.write("text.up", "not committed");
    let snapshot = sandbox
        .take(Contents::Commit("filtered".to_owned()))
        .unwrap();
    assert_eq!(snapshot.sha.as_ref(), Some(&sha));
    assert_eq!(read(&snapshot.directory.join("text.up")), "LOUD");
    let expected = sandbox.git(&["ls-tree", "-r", "--name-only", "HEAD"]);
    assert_eq!(
        names(&snapshot.directory),
        expected.replace('"', "").lines().collect::<Vec<_>>()
    );
    assert_eq!(snapshot.summary.files, expected.lines().count());
    assert_eq!(
        sandbox.git_in(&snapshot.directory, &["rev-parse", "HEAD"]),
        sha
    );
    let changes = [
        "-c",
        "filter.upper.clean=tr A-Z a-z",
        "status",
        "--porcelain",
    ];
    assert_eq!(sandbox.git_in(&snapshot.directory, &changes), "");
}

#[test]
fn a_commit_that_does_not_exist_is_answered_with_near_names() {
    let sandbox = busy();
    let error = sandbox
        .take(Contents::Commit("mains".to_owned()))
        .unwrap_err();
    assert!(
        matches!(&error, SnapshotError::Reference(FactsError::NotFound { near, .. }) if near == &["main"]),
        "{error:?}"
    );
}

#[test]
fn an_initialised_submodule_is_taken_as_files() {
    let sandbox = Sandbox::new();
    let library = sandbox.root.join("library");
    std::fs::create_dir(&library).unwrap();
    sandbox.git_in(&library, &["init", "--quiet"]);
    std::fs::write(library.join("lib.py"), "library").unwrap();
    sandbox.git_in(&library, &["add", "--all"]);
    let author = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=b",
        "commit",
        "--quiet",
        "-m",
        "lib",
    ];
    sandbox.git_in(&library, &author);
    for name in ["lib", "other"] {
        sandbox.git(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            "../library",
            name,
        ]);
    }
    sandbox.commit("with submodules");
    sandbox.git(&["submodule", "--quiet", "deinit", "other"]);
    sandbox.write("lib/lib.py", "edited");
    sandbox.write("lib/untracked", "u");
    let snapshot = sandbox.snapshot();
    assert_eq!(
        names(&snapshot.directory),
        [".gitmodules", "lib/lib.py", "lib/untracked"]
    );
    assert_eq!(read(&snapshot.directory.join("lib/lib.py")), "edited");
    assert!(snapshot.directory.join("other").is_dir());
    assert_eq!(
        snapshot.summary.to_string(),
        "3 files, 1 modified, 1 untracked"
    );
}

#[test]
fn a_repository_inside_that_is_no_submodule_is_left_out_and_named() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    sandbox.commit("first");
    sandbox.git(&["init", "--quiet", "vendor/nested"]);
    sandbox.write("vendor/nested/x", "x");
    let snapshot = sandbox.snapshot();
    assert_eq!(names(&snapshot.directory), ["file"]);
    assert_eq!(
        snapshot.summary.nested_repositories,
        [std::path::Path::new("vendor/nested")]
    );
}

#[test]
fn the_state_directory_and_the_target_are_left_out_even_if_not_ignored() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    sandbox.commit("first");
    sandbox.write(".shipway/shipway.db", "state");
    sandbox.write("target-parent/other", "x");
    let into = sandbox.work.join("target-parent/snapshot");
    let exclude = [std::path::PathBuf::from(".shipway")];
    let snapshot = Snapshot::take(
        &sandbox.repository(),
        &sandbox.work,
        Contents::WorkTree,
        &into,
        &exclude,
    )
    .unwrap();
    assert_eq!(names(&snapshot.directory), ["file", "target-parent/other"]);
    assert_eq!(snapshot.summary.to_string(), "2 files, 1 untracked");
}

#[test]
fn merge_conflicts_are_taken_as_they_are_on_disk() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "base\n");
    sandbox.commit("base");
    sandbox.git(&["checkout", "--quiet", "-b", "side"]);
    sandbox.write("file", "side\n");
    sandbox.commit("side");
    sandbox.git(&["checkout", "--quiet", "main"]);
    sandbox.write("file", "main\n");
    sandbox.commit("main");
    let merge = std::process::Command::new("git")
        .args(["merge", "--quiet", "side"])
        .current_dir(&sandbox.work)
        .envs(sandbox.environment())
        .output()
        .unwrap();
    assert!(!merge.status.success());
    let snapshot = sandbox.snapshot();
    assert_eq!(snapshot.summary.to_string(), "1 file, 1 modified");
    assert!(read(&snapshot.directory.join("file")).contains("<<<<<<<"));
}

#[test]
fn a_shallow_clone_and_another_object_format_work() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    sandbox.commit("second");
    let url = format!("file://{}", sandbox.work.display());
    sandbox.git(&["clone", "--quiet", "--depth=1", &url, "../shallow"]);
    let shallow = sandbox.root.join("shallow");
    let repository = sandbox.discover(&shallow).unwrap();
    let into = sandbox.root.join("of-shallow");
    Snapshot::take(&repository, &shallow, Contents::WorkTree, &into, &[]).unwrap();
    assert_eq!(sandbox.git_in(&into, &["log", "--format=%s"]), "second");

    let sandbox = Sandbox::bare();
    sandbox.git(&["init", "--quiet", "--object-format=sha256"]);
    sandbox.git(&["config", "user.name", "a"]);
    sandbox.git(&["config", "user.email", "b"]);
    sandbox.write("file", "x");
    let sha = sandbox.commit("first");
    let facts = sandbox.repository().facts(None).unwrap();
    assert_eq!(
        (sha.len(), facts.sha, facts.before_sha.len()),
        (64, Some(sha.clone()), 64)
    );
    let snapshot = sandbox.snapshot();
    assert_eq!(
        sandbox.git_in(&snapshot.directory, &["rev-parse", "HEAD"]),
        sha
    );
    assert_eq!(
        sandbox.git_in(&snapshot.directory, &["status", "--porcelain"]),
        ""
    );
}

#[test]
fn a_partial_clone_fetches_what_a_job_asks_for() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "old");
    sandbox.commit("first");
    sandbox.write("file", "new");
    sandbox.commit("second");
    sandbox.git(&["config", "uploadpack.allowFilter", "true"]);
    sandbox.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let url = format!("file://{}", sandbox.work.display());
    sandbox.git(&["clone", "--quiet", "--filter=blob:none", &url, "../partial"]);
    let partial = sandbox.root.join("partial");
    let repository = sandbox.discover(&partial).unwrap();
    let into = sandbox.root.join("of-partial");
    let before = listing(&partial);
    Snapshot::take(&repository, &partial, Contents::WorkTree, &into, &[]).unwrap();
    assert_eq!(sandbox.git_in(&into, &["status", "--porcelain"]), "");
    assert_eq!(sandbox.git_in(&into, &["show", "HEAD~1:file"]), "old");
    assert_eq!(listing(&partial), before);
}

#[test]
fn a_sparse_checkout_is_taken_as_it_is_on_disk() {
    let sandbox = Sandbox::new();
    sandbox.write("in/file", "x");
    sandbox.write("out/file", "x");
    sandbox.commit("first");
    sandbox.git(&["sparse-checkout", "set", "in"]);
    let snapshot = sandbox.snapshot();
    assert_eq!(names(&snapshot.directory), ["in/file"]);
    assert_eq!(snapshot.summary.to_string(), "1 file");
}

#[test]
fn a_target_that_is_in_use_and_a_project_outside_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    let repository = sandbox.repository();
    let take = |project: &std::path::Path, into: &str| {
        let into = sandbox.root.join(into);
        Snapshot::take(&repository, project, Contents::WorkTree, &into, &[]).unwrap_err()
    };
    std::fs::write(sandbox.root.join("home/file"), "x").unwrap();
    let error = take(&sandbox.work, "home");
    assert!(
        matches!(error, SnapshotError::TargetNotEmpty(_)),
        "{error:?}"
    );
    let error = take(&sandbox.root, "new");
    assert!(
        matches!(error, SnapshotError::OutsideWorkTree { .. }),
        "{error:?}"
    );
}

#[test]
fn an_unreadable_file_is_named_unless_we_may_read_everything() {
    let sandbox = Sandbox::new();
    let path = sandbox.write("secret", "x");
    sandbox.commit("first");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    let taken = sandbox.take(Contents::WorkTree);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(taken.unwrap().summary.files, 1);
    } else {
        let error = taken.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("secret"), "{source}");
        assert!(source.contains("ignore"), "{source}");
    }
}

#[test]
fn files_that_come_and_go_while_they_are_copied_do_no_harm() {
    let sandbox = Sandbox::new();
    for number in 0..400 {
        sandbox.write(&format!("d{}/{number}", number % 7), "x");
    }
    sandbox.commit("first");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                number = (number + 1) % 400;
                let path = sandbox.work.join(format!("d{}/{number}", number % 7));
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, "y").unwrap();
            }
        });
        let taken: Vec<_> = (0..5)
            .map(|round| {
                let into = sandbox.root.join(format!("round{round}"));
                Snapshot::take(
                    &sandbox.repository(),
                    &sandbox.work,
                    Contents::WorkTree,
                    &into,
                    &[],
                )
            })
            .collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        taken
    });
    for snapshot in taken {
        assert!(snapshot.unwrap().summary.files >= 390);
    }
}

#[test]
fn all_of_git_for_a_small_repository_takes_milliseconds() {
    let sandbox = busy();
    let mut times = Vec::new();
    for round in 0..10 {
        let into = sandbox.root.join(format!("round{round}"));
        let start = std::time::Instant::now();
        let repository = sandbox.repository();
        repository.facts(None).unwrap();
        let discovered = start.elapsed();
        Snapshot::take(&repository, &sandbox.work, Contents::WorkTree, &into, &[]).unwrap();
        times.push((start.elapsed(), discovered));
    }
    times.sort_unstable();
    println!(
        "discover, facts and snapshot in {:?}, facts after {:?} (median of 10)",
        times[5].0, times[5].1
    );
    // Far above what is seen, so that a busy machine does not fail it.
    assert!(
        times[0].0 < std::time::Duration::from_millis(200),
        "{times:?}"
    );
}
