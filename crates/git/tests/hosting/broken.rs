//! Clients that vanish or talk nonsense.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use shipway_git::hosting::Limits;

use crate::push::noise;
use crate::site::Site;

/// Longer than git gets to clear away.
const PATIENCE: Duration = Duration::from_secs(20);

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what} took too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many processes of git work in the server's repository.
fn processes(site: &Site) -> usize {
    let path = site.repository().path().to_owned();
    let entries = std::fs::read_dir("/proc").expect("proc");
    entries
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok())
        .filter(|directory| directory.starts_with(&path))
        .count()
}

/// A client in a process group of its own.
fn killable(site: &Site, work: &Path, args: &[&str]) -> Child {
    let mut command = site.command(work, args);
    command.process_group(0).stderr(Stdio::null());
    command.spawn().expect("git")
}

fn kill(client: &mut Child) {
    let group = Pid::from_raw(client.id().cast_signed());
    // It may have ended by itself; it has not been waited for, so the number is its own.
    killpg(group, Signal::SIGKILL).ok();
    client.wait().expect("wait");
}

#[test]
fn a_pusher_that_is_killed_leaves_nothing() {
    let (site, work) = Site::with_commits();
    std::fs::write(work.join("large"), noise(60_000_000)).expect("write");
    site.commit(&work, "large too");
    let (refs, files) = (site.refs(), site.files());
    for _ in 0..3 {
        // The pack is made first, so that what is killed is the sending.
        let args = ["-c", "http.postBuffer=64k", "push", "origin", "main"];
        let mut client = killable(&site, &work, &args);
        wait("the quarantine", || {
            assert!(
                client.try_wait().expect("wait").is_none(),
                "too late to kill"
            );
            site.files()
                .iter()
                .any(|path| path.to_string_lossy().contains("incoming"))
        });
        kill(&mut client);
        wait("clearing away", || processes(&site) == 0);
        assert_eq!(site.refs(), refs);
        assert_eq!(site.files(), files, "no object, no lock, no quarantine");
        assert_eq!(site.pushes(), []);
    }
    // And the branch is not locked.
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    assert_ne!(site.refs(), refs);
}

/// Wherever a kill hits, the ref has moved and that was told once, or neither; and nothing is
/// in the way of the next push.
#[test]
fn a_pusher_that_is_killed_at_any_moment() {
    let (site, work) = Site::with_commits();
    let mut told = 0;
    for round in 0..25 {
        let before = site.refs();
        let commit = site.commit(&work, &format!("round-{round}"));
        let mut client = killable(&site, &work, &["push", "origin", "main"]);
        std::thread::sleep(Duration::from_millis(round * 4));
        kill(&mut client);
        // A request that has arrived may still be on its way to git.
        std::thread::sleep(Duration::from_millis(100));
        wait("telling", || {
            let moved = usize::from(site.refs() != before);
            processes(&site) == 0 && site.pushes().len() == told + moved
        });
        let moved = site.refs() != before;
        told = site.pushes().len();
        if moved {
            assert_eq!(site.refs(), [format!("{commit} refs/heads/main")]);
        }
        let left: Vec<_> = site
            .files()
            .into_iter()
            .filter(|path| {
                let path = path.to_string_lossy();
                path.ends_with(".lock") || path.contains("incoming")
            })
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    site.commit(&work, "last");
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
}

#[test]
fn a_reader_that_is_gone_stops_git() {
    let (site, work) = Site::with_commits();
    std::fs::write(work.join("large"), noise(20_000_000)).expect("write");
    let commit = site.commit(&work, "large too");
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    let request = format!("0032want {commit}\n00000009done\n");
    let mut client = post(&site, "git-upload-pack", &[], request.as_bytes());
    let mut some = [0; 10_000];
    client.read_exact(&mut some).expect("answer");
    assert!(processes(&site) > 0, "git waits for the reader");
    drop(client);
    wait("stopping git", || processes(&site) == 0);
}

#[test]
fn requests_that_are_no_pushes() {
    let (site, _) = Site::with_commits();
    let (refs, files) = (site.refs(), site.files());
    let id = "0123456789012345678901234567890123456789";
    let twice = format!("{id} {id} refs/heads/x");
    let twice = format!("0063{twice}\x000063{twice}\x000000");
    let signed = "000epush-cert\x000000".to_owned();
    let long = "fff1".to_owned();
    for body in [
        "",
        "0",
        "PACK",
        "zzzz",
        "0008line",
        "0000trailing",
        &twice,
        &signed,
        &long,
    ] {
        let mut client = post(&site, "git-receive-pack", &[], body.as_bytes());
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("answer");
        let expected = if body.starts_with("0000") {
            "200"
        } else {
            "400"
        };
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}")),
            "{body}: {answer}"
        );
    }
    assert_eq!(site.refs(), refs);
    assert_eq!(site.files(), files);
}

/// Commands are understood and a pack is promised, but something else follows.
#[test]
fn a_push_without_a_pack() {
    let (site, _) = Site::with_commits();
    let (refs, files) = (site.refs(), site.files());
    let zero = "0".repeat(40);
    let id = "0123456789012345678901234567890123456789";
    let line = format!("{zero} {id} refs/heads/new\0report-status");
    for rest in ["", "PACK", "no pack at all, but long enough to be one"] {
        let body = format!("{:04x}{line}0000{rest}", line.len() + 4);
        let mut client = post(&site, "git-receive-pack", &[], body.as_bytes());
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("answer");
        assert!(answer.contains("ng refs/heads/new"), "{answer}");
        assert_eq!(site.refs(), refs);
        assert_eq!(site.files(), files);
    }
    assert_eq!(site.pushes(), []);
}

/// The new objects that are named have to come with the push or be there.
#[test]
fn a_push_of_a_commit_that_nobody_has() {
    let (site, work) = Site::with_commits();
    let zero = "0".repeat(40);
    let id = "0123456789012345678901234567890123456789";
    let line = format!("{zero} {id} refs/heads/new\0report-status");
    let mut body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    let empty = site.command(&work, &["pack-objects", "--stdout"]).output();
    body.extend(empty.expect("pack").stdout);
    let mut client = post(&site, "git-receive-pack", &[], &body);
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answer");
    assert!(
        answer.contains("ng refs/heads/new missing necessary objects"),
        "{answer}"
    );
    assert_eq!(site.pushes(), []);
}

/// The rules are asked about what the client says the ref was. Git looks whether that is true.
#[test]
fn a_client_that_lies_about_the_old_commit() {
    let (site, work) = Site::with_commits();
    let refs = site.refs();
    let first = site.ok(&work, &["rev-parse", "HEAD~1"]);
    site.ok(&work, &["reset", "--quiet", "--hard", &first]);
    let new = site.commit(&work, "other");
    std::fs::write(site.root.join("revisions"), format!("{new}\n^{first}\n")).expect("write");
    let mut command = site.command(&work, &["pack-objects", "--revs", "--stdout"]);
    let revisions = std::fs::File::open(site.root.join("revisions")).expect("open");
    let pack = command.stdin(revisions).output().expect("pack").stdout;
    // As if `main` were still at its first commit, so that the move is forward; as if it did
    // not exist, so that it is created.
    for old in [first, "0".repeat(40)] {
        let line = format!("{old} {new} refs/heads/main\0report-status");
        let mut body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
        body.extend_from_slice(&pack);
        let mut client = post(&site, "git-receive-pack", &[], &body);
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("answer");
        assert!(
            answer.contains("ng refs/heads/main failed to update ref"),
            "{answer}"
        );
        assert_eq!(site.refs(), refs);
        assert_eq!(site.pushes(), []);
    }
}

#[test]
fn a_pusher_that_falls_silent() {
    let site = Site::with_limits(Limits {
        idle: Duration::from_millis(300),
        ..Limits::default()
    });
    let files = site.files();
    let zero = "0".repeat(40);
    let id = "0123456789012345678901234567890123456789";
    let line = format!("{zero} {id} refs/heads/new\0report-status");
    let body = format!("{:04x}{line}0000PACK", line.len() + 4);
    let mut client = post_part(&site, "git-receive-pack", &[], body.as_bytes(), 1_000_000);
    let mut answer = Vec::new();
    // The connection is closed without an end of the answer.
    client.read_to_end(&mut answer).ok();
    assert!(!answer.ends_with(b"0\r\n\r\n"), "{}", answer.escape_ascii());
    wait("stopping git", || processes(&site) == 0);
    assert_eq!(site.files(), files);
    assert_eq!(site.refs(), Vec::<String>::new());
}

#[test]
fn a_client_that_waits_to_be_asked_for_its_body() {
    let (site, _) = Site::with_commits();
    let mut client = post(
        &site,
        "git-receive-pack",
        &["Expect: 100-continue"],
        b"0000",
    );
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answer");
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"),
        "{answer}"
    );
}

/// Sends a request by hand.
fn post(site: &Site, service: &str, headers: &[&str], body: &[u8]) -> TcpStream {
    post_part(site, service, headers, body, body.len())
}

/// Sends a request whose body is said to have `length` bytes.
fn post_part(
    site: &Site,
    service: &str,
    headers: &[&str],
    body: &[u8],
    length: usize,
) -> TcpStream {
    let url = site.url();
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("url");
    let mut client = TcpStream::connect(host).expect("connect");
    client.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let mut head =
        format!("POST /{path}/{service} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
    client.write_all(head.as_bytes()).expect("head");
    client.write_all(body).expect("body");
    client
}
