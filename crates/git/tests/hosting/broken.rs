//! Clients that vanish or talk nonsense.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

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

#[test]
fn a_pusher_that_is_killed_leaves_nothing() {
    let (site, work) = Site::with_commits();
    std::fs::write(work.join("large"), noise(60_000_000)).expect("write");
    site.commit(&work, "large too");
    let (refs, files) = (site.refs(), site.files());
    for _ in 0..3 {
        // The pack is made first, so that what is killed is the sending.
        let args = ["-c", "http.postBuffer=64k", "push", "origin", "main"];
        let mut command = site.command(&work, &args);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut client = command
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("git");
        wait("the quarantine", || {
            assert!(
                client.try_wait().expect("wait").is_none(),
                "too late to kill"
            );
            site.files()
                .iter()
                .any(|path| path.to_string_lossy().contains("incoming"))
        });
        let group = nix::unistd::Pid::from_raw(client.id().cast_signed());
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).expect("kill");
        client.wait().expect("wait");
        wait("clearing away", || processes(&site) == 0);
        assert_eq!(site.refs(), refs);
        assert_eq!(site.files(), files, "no object, no lock, no quarantine");
        assert_eq!(site.pushes(), []);
    }
    // And the branch is not locked.
    site.ok(&work, &["push", "--quiet", "origin", "main"]);
    assert_ne!(site.refs(), refs);
}

#[test]
fn a_reader_that_is_gone_stops_git() {
    let (site, work) = Site::with_commits();
    std::fs::write(work.join("large"), noise(60_000_000)).expect("write");
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
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    client.write_all(head.as_bytes()).expect("head");
    client.write_all(body).expect("body");
    client
}
