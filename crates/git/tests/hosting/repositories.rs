//! Repositories on disk, and questions to them.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use shipway_git::ProjectPath;
use shipway_git::hosting::{QueryError, Repositories, RepositoriesError, ZERO_ID};

use crate::site::{PROJECT, Site};

#[test]
fn repositories_are_made_listed_and_removed() {
    let site = Site::new();
    let repositories = &site.repositories;
    site.runtime.block_on(async {
        let made = repositories.create(3, "trunk").await.expect("made");
        assert_eq!(made.default_branch().await.expect("branch"), "trunk");
        let again = repositories.create(3, "main").await;
        assert!(
            matches!(again, Err(RepositoriesError::Exists(3))),
            "{again:?}"
        );
        assert_eq!(repositories.list().await.expect("list"), [3, PROJECT]);
        for name in ["", "a b", "../x", "-x"] {
            let refused = repositories.create(4, name).await;
            assert!(
                matches!(refused, Err(RepositoriesError::BranchName(_))),
                "{name}"
            );
        }

        repositories.remove(3).await.expect("removed");
        assert!(!repositories.exists(3).await);
        for result in [
            repositories.get(3).await.map(drop),
            repositories.remove(3).await,
        ] {
            assert!(
                matches!(result, Err(RepositoriesError::Missing(3))),
                "{result:?}"
            );
        }
        assert_eq!(repositories.list().await.expect("list"), [PROJECT]);
    });
    let mut left: Vec<_> = std::fs::read_dir(site.root.join("repositories"))
        .expect("directory")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["17.git", "hooks"]);
}

#[test]
fn one_of_many_that_make_the_same_repository_wins() {
    let site = Site::new();
    let made = site.runtime.block_on(async {
        let making: Vec<_> = (0..8)
            .map(|_| {
                let repositories = site.repositories.clone();
                tokio::spawn(async move { repositories.create(5, "main").await.is_ok() })
            })
            .collect();
        let mut made = 0;
        for task in making {
            made += usize::from(task.await.expect("task"));
        }
        made
    });
    assert_eq!(made, 1);
}

#[test]
fn what_an_earlier_process_left_is_cleared_away() {
    let site = Site::new();
    let root = site.root.join("repositories");
    for name in ["new-9-1-0", "new-9-1-1", "removed-9-1-2"] {
        std::fs::create_dir_all(root.join(name).join("objects")).expect("left");
    }
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    let old = std::fs::File::open(root.join("new-9-1-0")).expect("open");
    old.set_modified(yesterday).expect("time");
    Repositories::open(&root).expect("opened");
    let left = |name: &str| root.join(name).exists();
    assert!(!left("new-9-1-0") && !left("removed-9-1-2"));
    assert!(left("new-9-1-1"), "another process may be making it");
    assert!(left("17.git"));
}

/// Without its hook git would take a push that the rules refuse.
#[test]
fn no_push_is_taken_when_the_hook_is_gone() {
    let (site, work) = Site::with_commits();
    let hook = site.root.join("repositories/hooks/pre-receive");
    let refs = site.refs();
    site.commit(&work, "three");
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&hook, mode).expect("mode");
    site.refused(&work, &["push", "origin", "main"]);
    std::fs::remove_file(&hook).expect("removed");
    site.refused(&work, &["push", "origin", "main"]);
    assert_eq!(site.refs(), refs);
    Repositories::open(&site.root.join("repositories")).expect("opened");
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
}

fn project() -> ProjectPath {
    ProjectPath {
        host: Some("ci.example.com".to_owned()),
        port: None,
        insecure: false,
        path: "group/project".to_owned(),
    }
}

#[test]
fn refs_and_names() {
    let (site, work) = Site::with_commits();
    let commit = site.ok(&work, &["rev-parse", "HEAD"]);
    site.ok(
        &work,
        &["tag", "--annotate", "v1", "--message", "First\n\nbody"],
    );
    site.ok(&work, &["tag", "light", "HEAD~1"]);
    site.ok(&work, &["tag", "file", "HEAD:one"]);
    let annotated = site.ok(&work, &["rev-parse", "v1"]);
    site.ok(
        &work,
        &[
            "push",
            "--quiet",
            "origin",
            "main:feature/a",
            "v1",
            "light",
            "file",
        ],
    );
    let repository = site.repository();
    site.runtime.block_on(async {
        let refs = repository.refs().await.expect("refs");
        assert_eq!(refs.default_branch, "main");
        let branches: Vec<_> = refs.branches.iter().map(|branch| &*branch.name).collect();
        assert_eq!(branches, ["feature/a", "main"]);
        assert_eq!(refs.branches[1].commit, commit);
        assert_eq!(refs.branches[1].date, "2024-02-29T11:00:00Z");
        assert_eq!(refs.branches[1].title, "two");
        let tags: Vec<_> = refs.tags.iter().map(|tag| &*tag.name).collect();
        assert_eq!(tags, ["light", "v1"]);
        assert_eq!(refs.tags[1].commit, commit);
        assert_eq!(refs.tags[1].object, annotated);
        assert_eq!(refs.tags[1].title, "First");

        let known = [
            "main",
            "refs/heads/main",
            "feature/a",
            "v1",
            "refs/tags/v1",
            &commit,
            &commit[..8],
            &annotated,
        ];
        for name in known {
            let found = repository.resolve(name).await.expect("resolved");
            assert_eq!(found.as_deref(), Some(&*commit), "{name}");
        }
        for name in [
            "", "nothing", "main~1", "HEAD", "file", ":/two", "--all", "a..b", ZERO_ID,
        ] {
            let found = repository.resolve(name).await.expect("resolved");
            assert_eq!(found, None, "{name}");
        }
    });
}

#[test]
fn facts_of_a_branch_and_of_a_tag() {
    let (site, work) = Site::with_commits();
    let (commit, parent) = (
        site.ok(&work, &["rev-parse", "HEAD"]),
        site.ok(&work, &["rev-parse", "HEAD~1"]),
    );
    site.ok(
        &work,
        &["tag", "--annotate", "v1", "--message", "First\n\nbody"],
    );
    site.ok(&work, &["push", "--quiet", "origin", "v1"]);
    let repository = site.repository();
    site.runtime.block_on(async {
        let facts = repository
            .facts(&commit, "refs/heads/main", project())
            .await;
        let facts = facts.expect("facts").expect("commit");
        assert_eq!(facts.sha.as_deref(), Some(&*commit));
        assert_eq!(facts.before_sha, parent);
        assert_eq!(facts.branch.as_deref(), Some("main"));
        assert_eq!((facts.ref_name.as_str(), facts.detached), ("main", false));
        assert_eq!(
            (facts.title.as_str(), facts.message.as_str()),
            ("two", "two\n")
        );
        assert_eq!(facts.author, "Ann Example <ann@example.com>");
        assert_eq!(facts.timestamp, "2024-02-29T11:00:00Z");
        assert_eq!(facts.default_branch, "main");
        assert_eq!(facts.project, project());

        // A push names the tag's own object.
        let refs = repository.refs().await.expect("refs");
        let object = &refs.tags[0].object;
        let facts = repository.facts(object, "refs/tags/v1", project()).await;
        let facts = facts.expect("facts").expect("commit");
        assert_eq!(facts.sha.as_deref(), Some(&*commit));
        assert_eq!(facts.tag.as_deref(), Some("v1"));
        assert_eq!(facts.tag_message.as_deref(), Some("First\n\nbody"));
        assert_eq!(facts.branch, None);

        let missing = repository
            .facts(&"1".repeat(40), "refs/heads/main", project())
            .await;
        assert_eq!(missing.expect("facts"), None);
        let malformed = repository.facts("main", "refs/heads/main", project()).await;
        assert!(
            matches!(malformed, Err(QueryError::ObjectId(_))),
            "{malformed:?}"
        );
    });
}

#[test]
fn files_and_differences() {
    let (site, work) = Site::with_commits();
    let first = site.ok(&work, &["rev-parse", "HEAD"]);
    std::fs::create_dir(work.join("dir")).expect("dir");
    std::fs::write(work.join("dir/ä b"), "content").expect("write");
    std::fs::remove_file(work.join("one")).expect("remove");
    let second = site.commit(&work, "three");
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    site.ok(&work, &["checkout", "--quiet", "-b", "side", &first]);
    let side = site.commit(&work, "side");
    site.ok(&work, &["push", "--quiet", "origin", "side"]);
    let repository = site.repository();
    site.runtime.block_on(async {
        let read = async |path: &str, limit| repository.read_file(&second, path, limit).await;
        for (path, expected) in [
            ("dir/ä b", Some("content")),
            ("two", Some("two")),
            ("one", None),
            ("dir", None),
            ("", None),
            ("/two", None),
            ("../two", None),
            ("two\nHEAD:two", None),
        ] {
            let content = read(path, 100).await.expect(path);
            assert_eq!(content.as_deref(), expected.map(str::as_bytes), "{path:?}");
        }
        assert!(read("two", 3).await.expect("three bytes").is_some());
        let large = read("dir/ä b", 6).await;
        assert!(
            matches!(
                large,
                Err(QueryError::TooLarge {
                    size: 7,
                    limit: 6,
                    ..
                })
            ),
            "{large:?}"
        );

        let list = repository.list_files(&second, 10).await.expect("list");
        assert_eq!(list.paths, ["dir/ä b", "three", "two"]);
        assert!(list.complete);
        let list = repository.list_files(&second, 2).await.expect("list");
        assert_eq!((list.paths.len(), list.complete), (2, false));
        assert!(repository.list_files(&"1".repeat(40), 2).await.is_err());

        let changed = repository.changed_paths(&first, &second, 10).await;
        let changed = changed.expect("changed").expect("both exist");
        assert_eq!(changed.paths, ["dir/ä b", "one", "three"]);
        let unknown = repository.changed_paths(ZERO_ID, &second, 10).await;
        assert_eq!(unknown.expect("changed"), None);

        let base = repository.merge_base(&second, &side).await.expect("base");
        assert_eq!(base, Some(first.clone()));
        assert!(
            repository
                .is_ancestor(&first, &second)
                .await
                .expect("asked")
        );
        assert!(!repository.is_ancestor(&second, &side).await.expect("asked"));
    });
}

#[test]
fn housekeeping_packs_what_is_loose() {
    let (site, work) = Site::with_commits();
    let repository = site.repository();
    site.runtime.block_on(async {
        let before = repository.housekeeping().await.expect("counted");
        assert!(before.loose_objects > 0 && before.bytes > 0 && !before.is_due());
        repository.housekeep().await.expect("tidied");
        let after = repository.housekeeping().await.expect("counted");
        assert_eq!((after.loose_objects, after.packs), (0, 1));
    });
    site.ok(&work, &["fetch", "--quiet", "origin"]);
}

#[test]
fn refs_of_our_own_are_checked() {
    let (site, _) = Site::with_commits();
    let repository = site.repository();
    site.runtime.block_on(async {
        let commit = repository
            .resolve("main")
            .await
            .expect("resolved")
            .expect("main");
        for name in [
            "main",
            "HEAD",
            "refs/../x",
            "refs/pipelines/7\ndelete refs/heads/main",
        ] {
            let made = repository.create_ref(name, &commit).await;
            assert!(
                matches!(made, Err(QueryError::RefName(_))),
                "{name}: {made:?}"
            );
            let deleted = repository.delete_refs(&[name]).await;
            assert!(
                matches!(deleted, Err(QueryError::RefName(_))),
                "{name}: {deleted:?}"
            );
        }
        assert!(
            repository
                .create_ref("refs/pipelines/7", &"1".repeat(40))
                .await
                .is_err()
        );
    });
    assert_eq!(site.refs().len(), 1);
}

#[test]
fn what_killed_pushes_received_is_swept_when_nobody_writes_it() {
    let site = Site::new();
    let repository = site.repository();
    let objects = repository.path().join("objects");
    let quarantine = objects.join("tmp_objdir-incoming-Ab12Cd");
    std::fs::create_dir_all(quarantine.join("pack")).expect("made");
    std::fs::write(quarantine.join("pack/tmp_pack_1"), "half").expect("written");
    site.runtime.block_on(async {
        let hour = Duration::from_secs(3600);
        assert_eq!(repository.sweep(hour).await.expect("swept"), 0);
        assert!(quarantine.is_dir(), "its push may go on");
        let old = std::time::SystemTime::now() - 2 * hour;
        let age = |path: &std::path::Path| {
            let file = std::fs::File::open(path).expect("opened");
            file.set_modified(old).expect("aged");
        };
        for path in [&quarantine, &quarantine.join("pack")] {
            age(path);
        }
        assert_eq!(repository.sweep(hour).await.expect("swept"), 0);
        age(&quarantine.join("pack/tmp_pack_1"));
        assert_eq!(repository.sweep(hour).await.expect("swept"), 1);
        assert!(!quarantine.exists() && objects.join("pack").is_dir());
    });
}
