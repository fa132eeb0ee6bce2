//! Copying a tree.

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use shipway_git::{Copied, CopyError, CopyMethod, Tree};
use support::{Sandbox, read, state};

fn copy_tree(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    Tree::read(from)?.copy_to(to)
}

#[test]
fn modes_times_and_links_are_kept_and_special_files_left_out() {
    let sandbox = Sandbox::bare();
    let from = &sandbox.work;
    let old = UNIX_EPOCH + Duration::new(1_000_000_000, 5_000_000);
    for (name, mode) in [
        ("script.sh", 0o755),
        ("secret", 0o600),
        ("dir/read-only", 0o444),
    ] {
        let path = sandbox.write(name, name);
        std::fs::File::open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    symlink("nowhere/at all", from.join("dangling")).unwrap();
    symlink("..", from.join("dir/up")).unwrap();
    std::fs::create_dir(from.join("empty")).unwrap();
    nix::unistd::mkfifo(&from.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    let locked = from.join("dir");
    std::fs::File::open(&locked)
        .unwrap()
        .set_modified(old)
        .unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o555)).unwrap();

    let to = sandbox.root.join("to/deep");
    let copied = copy_tree(from, &to).unwrap();
    assert_eq!(
        (
            copied.files,
            copied.links,
            copied.directories,
            copied.special_skipped
        ),
        (3, 2, 2, 2)
    );
    assert!(matches!(
        copied.method,
        CopyMethod::Copy | CopyMethod::Reflink
    ));
    for (name, mode) in [
        ("script.sh", 0o755),
        ("secret", 0o600),
        ("dir/read-only", 0o444),
        ("dir", 0o555),
    ] {
        let metadata = to.join(name).metadata().unwrap();
        assert_eq!(metadata.mode() & 0o777, mode, "{name}");
        assert_eq!(metadata.modified().unwrap(), old, "{name}");
    }
    assert_eq!(read(&to.join("dir/read-only")), "dir/read-only");
    assert_eq!(
        to.join("dangling").read_link().unwrap().to_str(),
        Some("nowhere/at all")
    );
    assert_eq!(to.join("dir/up").read_link().unwrap().to_str(), Some(".."));
    assert!(to.join("empty").is_dir());
    assert!(!to.join("pipe").exists() && !to.join("socket").exists());
    for directory in [&locked, &to.join("dir")] {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[test]
fn many_files_are_all_copied() {
    let sandbox = Sandbox::bare();
    for number in 0..3000 {
        sandbox.write(&format!("{}/{number}", number % 17), &number.to_string());
    }
    let to = sandbox.root.join("to");
    let copied = copy_tree(&sandbox.work, &to).unwrap();
    assert_eq!((copied.files, copied.directories), (3000, 17));
    for number in 0..3000 {
        assert_eq!(
            read(&to.join(format!("{}/{number}", number % 17))),
            number.to_string()
        );
    }
}

#[test]
fn a_directory_is_not_copied_into_itself() {
    let sandbox = Sandbox::bare();
    sandbox.write("file", "x");
    symlink(&sandbox.work, sandbox.root.join("alias")).unwrap();
    for to in ["work", "work/copy", "work/not/yet/there", "alias/copy"] {
        let error = copy_tree(&sandbox.work, &sandbox.root.join(to)).unwrap_err();
        assert!(
            matches!(error, CopyError::IntoItself { .. }),
            "{to}: {error:?}"
        );
    }
    assert_eq!(support::names(&sandbox.work), ["file"]);
    copy_tree(&sandbox.work, &sandbox.root.join("work2")).unwrap();
}

#[test]
fn a_missing_source_and_a_target_that_cannot_be_written_are_named() {
    let sandbox = Sandbox::bare();
    let missing = sandbox.root.join("missing");
    let error = copy_tree(&missing, &sandbox.root.join("to")).unwrap_err();
    assert!(
        matches!(&error, CopyError::Read { path, .. } if *path == missing),
        "{error:?}"
    );
    let file = sandbox.write("file", "x");
    let error = copy_tree(&sandbox.root.join("home"), &file.join("below")).unwrap_err();
    assert!(matches!(error, CopyError::Write { .. }), "{error:?}");
}

#[test]
fn one_tree_makes_many_copies_of_files_of_every_size() {
    let sandbox = Sandbox::bare();
    let large = "x".repeat(100_000);
    sandbox.write("dir/small", "s");
    sandbox.write("dir/empty", "");
    sandbox.write("large", &large);
    let tree = Tree::read(&sandbox.work).unwrap();
    for name in ["one", "two"] {
        let to = sandbox.root.join(name);
        let copied = tree.copy_to(&to).unwrap();
        assert_eq!((copied.files, copied.directories), (3, 1));
        assert_eq!(read(&to.join("dir/small")), "s");
        assert_eq!(read(&to.join("dir/empty")), "");
        assert_eq!(read(&to.join("large")), large);
        std::fs::write(to.join("dir/small"), "changed by a job").unwrap();
    }
    assert_eq!(read(&sandbox.work.join("dir/small")), "s");
}

#[test]
fn a_used_copy_is_made_like_new_whatever_was_done_to_it() {
    type Deed = (&'static str, fn(&Path), usize, usize);
    let deeds: [Deed; 15] = [
        ("nothing", |_| {}, 0, 0),
        // Of the same size, at once, and with the time of before.
        (
            "content",
            |to| {
                let path = to.join("a");
                let modified = path.metadata().unwrap().modified().unwrap();
                std::fs::write(&path, "A").unwrap();
                let file = std::fs::File::open(&path).unwrap();
                file.set_modified(modified).unwrap();
            },
            1,
            0,
        ),
        (
            "time",
            |to| {
                let file = std::fs::File::open(to.join("a")).unwrap();
                file.set_modified(UNIX_EPOCH).unwrap();
            },
            1,
            0,
        ),
        (
            "mode",
            |to| {
                std::fs::set_permissions(to.join("a"), PermissionsExt::from_mode(0o777)).unwrap();
            },
            1,
            0,
        ),
        (
            "big content",
            |to| {
                let mut bytes = std::fs::read(to.join("big")).unwrap();
                bytes[0] = b'X';
                std::fs::write(to.join("big"), bytes).unwrap();
            },
            1,
            0,
        ),
        (
            "a file gone",
            |to| std::fs::remove_file(to.join("dir/b")).unwrap(),
            1,
            0,
        ),
        (
            "a file moved",
            |to| std::fs::rename(to.join("dir/b"), to.join("c")).unwrap(),
            1,
            1,
        ),
        (
            "files swapped",
            |to| {
                std::fs::rename(to.join("a"), to.join("x")).unwrap();
                std::fs::rename(to.join("dir/b"), to.join("a")).unwrap();
                std::fs::rename(to.join("x"), to.join("dir/b")).unwrap();
            },
            2,
            0,
        ),
        (
            "a directory for a file",
            |to| {
                std::fs::remove_file(to.join("a")).unwrap();
                std::fs::create_dir_all(to.join("a/deep")).unwrap();
            },
            1,
            0,
        ),
        (
            "a link for a file",
            |to| {
                std::fs::remove_file(to.join("a")).unwrap();
                symlink("dir/b", to.join("a")).unwrap();
            },
            1,
            0,
        ),
        (
            "a link elsewhere",
            |to| {
                std::fs::remove_file(to.join("link")).unwrap();
                symlink("b", to.join("link")).unwrap();
            },
            1,
            0,
        ),
        (
            "more files",
            |to| {
                std::fs::write(to.join("dir/new"), "").unwrap();
                std::fs::create_dir_all(to.join("build/deep")).unwrap();
                std::fs::write(to.join("build/deep/out"), "").unwrap();
                symlink("/", to.join("root")).unwrap();
            },
            0,
            3,
        ),
        (
            "a second name",
            |to| std::fs::hard_link(to.join("a"), to.join("same")).unwrap(),
            1,
            1,
        ),
        (
            "read-only",
            |to| {
                std::fs::set_permissions(to.join("dir/b"), PermissionsExt::from_mode(0o400))
                    .unwrap();
            },
            1,
            0,
        ),
        (
            "the time of a directory",
            |to| {
                std::fs::File::open(to.join("dir"))
                    .unwrap()
                    .set_modified(UNIX_EPOCH)
                    .unwrap();
            },
            0,
            0,
        ),
    ];
    let sandbox = Sandbox::bare();
    sandbox.write("a", "a");
    sandbox.write("dir/b", "b");
    sandbox.write("big", &"big ".repeat(10_000));
    symlink("a", sandbox.work.join("link")).unwrap();
    let tree = Tree::read(&sandbox.work).unwrap();
    let to = sandbox.root.join("to");
    tree.copy_to(&to).unwrap();
    let fresh = state(&to);
    for (name, deed, again, removed) in &deeds {
        let marks = tree.look(&to).unwrap();
        deed(&to);
        let renewed = tree.renew(&to, &marks).unwrap();
        assert_eq!(state(&to), fresh, "{name}");
        assert_eq!(
            (renewed.again, renewed.removed),
            (*again, *removed),
            "{name}"
        );
        assert_eq!(
            (renewed.copied.files, renewed.copied.links),
            (3, 1),
            "{name}"
        );
    }
}

#[test]
fn a_copy_whose_directories_were_changed_is_not_made_like_new() {
    let deeds: [fn(&Path); 3] = [
        |to| std::fs::remove_dir_all(to.join("dir")).unwrap(),
        |to| {
            std::fs::rename(to.join("dir"), to.join("other")).unwrap();
            symlink("other", to.join("dir")).unwrap();
        },
        |to| {
            std::fs::set_permissions(to.join("dir"), PermissionsExt::from_mode(0o700)).unwrap();
        },
    ];
    let sandbox = Sandbox::bare();
    sandbox.write("dir/b", "b");
    let tree = Tree::read(&sandbox.work).unwrap();
    for (number, deed) in deeds.iter().enumerate() {
        let to = sandbox.root.join(format!("to-{number}"));
        tree.copy_to(&to).unwrap();
        let marks = tree.look(&to).unwrap();
        deed(&to);
        let error = tree.renew(&to, &marks).unwrap_err();
        assert!(matches!(error, CopyError::Read { .. }), "{number}: {error}");
    }
}
