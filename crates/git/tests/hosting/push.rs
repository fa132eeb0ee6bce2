//! Pushes that are taken.

use shipway_git::hosting::{PushOptions, RefUpdate};

use crate::site::Site;

#[test]
fn a_new_branch_and_a_new_tag() {
    let (site, work) = Site::with_commits();
    let old = site.ok(&work, &["rev-parse", "HEAD"]);
    let new = site.commit(&work, "three");
    site.ok(&work, &["tag", "--annotate", "v1", "--message", "first"]);
    let tag = site.ok(&work, &["rev-parse", "v1"]);
    let said = site.said(&work, &["push", "origin", "main", "main:feature/a", "v1"]);
    assert!(
        said.contains("remote: Pipeline: http://ci.example.com/group/project/-/pipelines/1"),
        "{said}"
    );
    assert_eq!(
        site.refs(),
        [
            format!("{new} refs/heads/feature/a"),
            format!("{new} refs/heads/main"),
            format!("{tag} refs/tags/v1"),
        ]
    );
    let update = |name: &str, old: Option<&String>, new: Option<&String>| RefUpdate {
        name: name.to_owned(),
        old: old.cloned(),
        new: new.cloned(),
    };
    let [push] = &site.pushes()[..] else {
        panic!("{:?}", site.pushes());
    };
    assert_eq!(
        push.updates,
        [
            update("refs/heads/main", Some(&old), Some(&new)),
            update("refs/heads/feature/a", None, Some(&new)),
            update("refs/tags/v1", None, Some(&tag)),
        ]
    );
    assert_eq!(push.options, PushOptions::default());
}

/// Bytes that do not compress, the same every time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn the_first_push_into_an_empty_repository() {
    let site = Site::new();
    let work = site.work();
    let commit = site.commit(&work, "one");
    site.ok(
        &work,
        &["push", "--quiet", "--set-upstream", "origin", "main"],
    );
    assert_eq!(site.refs(), [format!("{commit} refs/heads/main")]);
}

#[test]
fn a_forced_push_where_it_is_allowed() {
    let (site, work) = Site::with_commits();
    site.ok(&work, &["push", "--quiet", "origin", "main:free"]);
    site.ok(&work, &["reset", "--quiet", "--hard", "HEAD~1"]);
    let new = site.commit(&work, "other");
    site.ok(
        &work,
        &["push", "--quiet", "--force", "origin", "main:free"],
    );
    assert!(site.refs().contains(&format!("{new} refs/heads/free")));
    assert_eq!(site.pushes().len(), 2);
}

/// The hook runs, because `main` and `steady` may only move forward, and agrees.
#[test]
fn forward_and_forced_moves_in_one_push() {
    let (site, work) = Site::with_commits();
    site.ok(
        &work,
        &["push", "--quiet", "origin", "main:steady", "main:free"],
    );
    let new = site.commit(&work, "three");
    site.ok(
        &work,
        &[
            "push",
            "--quiet",
            "--atomic",
            "origin",
            "main",
            "main:steady",
            "+main~2:free",
        ],
    );
    let old = site.ok(&work, &["rev-parse", "main~2"]);
    assert_eq!(
        site.refs(),
        [
            format!("{old} refs/heads/free"),
            format!("{new} refs/heads/main"),
            format!("{new} refs/heads/steady"),
        ]
    );
}

#[test]
fn branches_and_tags_are_deleted() {
    let (site, work) = Site::with_commits();
    let commit = site.ok(&work, &["rev-parse", "HEAD"]);
    site.ok(
        &work,
        &[
            "push",
            "--quiet",
            "origin",
            "main:feature",
            "main:refs/tags/v1",
        ],
    );
    site.ok(&work, &["push", "--quiet", "origin", ":feature", ":v1"]);
    assert_eq!(site.refs(), [format!("{commit} refs/heads/main")]);
    let pushes = site.pushes();
    let deleted: Vec<_> = pushes[1]
        .updates
        .iter()
        .map(|update| (&*update.name, &update.new))
        .collect();
    assert_eq!(
        deleted,
        [("refs/heads/feature", &None), ("refs/tags/v1", &None)]
    );
}

#[test]
fn push_options_arrive() {
    let (site, work) = Site::with_commits();
    site.commit(&work, "three");
    site.ok(
        &work,
        &[
            "push",
            "--quiet",
            "-o",
            "ci.variable=A=b c",
            "-o",
            "ci.input=n=1",
            "-o",
            "ci.skip",
            "origin",
            "main",
        ],
    );
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = PushOptions {
        skip: true,
        variables: vec![pair("A", "b c")],
        inputs: vec![pair("n", "1")],
        unknown: Vec::new(),
    };
    assert_eq!(site.pushes()[0].options, expected);
}

#[test]
fn nothing_to_push_is_no_push() {
    let (site, work) = Site::with_commits();
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    assert_eq!(site.pushes(), []);
}

/// Of many that push to one branch at once each wins or is told to fetch first; nobody's commit
/// is lost and nobody is told of a push that did not happen.
#[test]
fn many_push_to_one_branch() {
    let (site, _) = Site::with_commits();
    let clones: Vec<_> = (0..6)
        .map(|index| {
            let name = format!("clone-{index}");
            site.ok(&site.root, &["clone", "--quiet", &site.url(), &name]);
            let work = site.root.join(&name);
            let commit = site.commit(&work, &name);
            (work, commit)
        })
        .collect();
    let wins: usize = std::thread::scope(|scope| {
        let pushing: Vec<_> = clones
            .iter()
            .map(|(work, _)| scope.spawn(|| site.run(work, &["push", "origin", "main"])))
            .collect();
        let outputs = pushing
            .into_iter()
            .map(|thread| thread.join().expect("push"));
        outputs.filter(|output| output.status.success()).count()
    });
    assert_eq!(wins, 1);
    let [push] = &site.pushes()[..] else {
        panic!("{:?}", site.pushes());
    };
    let winner = push.updates[0].after();
    assert_eq!(site.refs(), [format!("{winner} refs/heads/main")]);
    assert!(clones.iter().any(|(_, commit)| commit == winner));
}

/// Fifty megabytes go through without being held in memory.
#[test]
fn a_large_push_takes_little_memory() {
    let (site, work) = Site::with_commits();
    std::fs::write(work.join("large"), noise(50_000_000)).expect("write");
    let commit = site.commit(&work, "large too");
    let args = [
        "-c",
        "http.postBuffer=1m",
        "push",
        "--quiet",
        "origin",
        "main",
    ];
    let before = memory();
    let peak = std::thread::scope(|scope| {
        let push = scope.spawn(|| site.ok(&work, &args));
        let mut peak = before;
        while !push.is_finished() {
            peak = peak.max(memory());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        peak
    });
    assert_eq!(site.refs(), [format!("{commit} refs/heads/main")]);
    let grown = peak.saturating_sub(before);
    assert!(grown < 30_000_000, "grew by {grown} bytes");
}

/// What this process holds in memory, in bytes.
fn memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .expect("field")
        .parse()
        .expect("number");
    pages * 4096
}
