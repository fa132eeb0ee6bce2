//! `shipway admin` through the binary, on the data of a server.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::Sandbox;

const ROOT_TOKEN: &str = "glpat-root-0123456789abcdef";

/// A server on the sandbox's data, until it is dropped.
struct Server(Child);

impl Server {
    fn start(sandbox: &Sandbox) -> (Self, String) {
        let mut child = sandbox
            .command(env!("CARGO_BIN_EXE_shipway"))
            .args(["serve", "--data", "data", "--listen", "127.0.0.1:0"])
            .args(["--runner", "none"])
            .env("SHIPWAY_ROOT_PASSWORD", "correct horse battery")
            .env("SHIPWAY_ROOT_TOKEN", ROOT_TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let url = first.strip_prefix("Shipway serves ").unwrap().to_owned();
        (Self(child), url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        kill(pid, Signal::SIGTERM).ok();
        assert!(self.0.wait().unwrap().success() || std::thread::panicking());
    }
}

#[test]
fn a_new_key_signs_beside_a_running_server() {
    let sandbox = Sandbox::empty();
    let (_server, _) = Server::start(&sandbox);
    let listed = |verb: &str| {
        let done = sandbox.shipway(&["admin", "--data", "data", "signing-key", verb]);
        done.exits(0);
        let lines = done.out.lines().skip(1).map(str::to_owned);
        lines.collect::<Vec<String>>()
    };
    let first = listed("list");
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].ends_with("signs"), "{first:?}");
    let both = listed("rotate");
    let key = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].ends_with("signs") && key(&both[0]) != key(&first[0]));
    assert!(both[1].contains("published until 20"), "{both:?}");
    assert_eq!(key(&both[1]), key(&first[0]));
    // Whoever looks often sees nothing else, such as of tasks that the end cuts short.
    for _ in 0..5 {
        let again = sandbox.shipway(&["admin", "--data", "data", "signing-key", "list"]);
        assert_eq!(
            (again.exits(0).err.as_str(), listed("list")),
            ("", both.clone())
        );
    }
}

#[test]
fn accounts_and_tokens_beside_a_running_server() {
    let sandbox = Sandbox::empty();
    let (_server, url) = Server::start(&sandbox);
    let admin = |code: i32, args: &[&str]| {
        let args = [&["admin", "--data", "data"], args].concat();
        let done = sandbox.shipway(&args);
        done.exits(code);
        done
    };
    let refs = |user: &str, secret: &str| {
        let address = url.replace("://", &format!("://{user}:{secret}@"));
        let output = sandbox
            .command("git")
            .args(["ls-remote", &format!("{address}/ann/app.git")])
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };

    let made = admin(0, &["user", "create", "ann", "--email", "ann@example.com"]);
    let password = made
        .out
        .trim()
        .strip_prefix("ann may sign in: ")
        .unwrap()
        .to_owned();
    // Somebody who is known sees that there is nothing; nobody else does.
    let (known, unknown) = ("Project Not Found", "Authentication failed");
    assert!(refs("ann", &password).contains(known));
    assert!(refs("ann", "wrong").contains(unknown));

    let again = admin(2, &["user", "create", "Ann", "--email", "x@example.com"]);
    assert!(
        again.err.contains("has already been taken"),
        "{}",
        again.err
    );
    let wrong = admin(2, &["user", "create", "a/b", "--email", "x@example.com"]);
    assert!(wrong.err.contains("cannot be a username"), "{}", wrong.err);

    let made = admin(0, &["user", "password", "ann"]);
    let newer = made
        .out
        .trim()
        .strip_prefix("ann has a new password: ")
        .unwrap()
        .to_owned();
    assert!(refs("ann", &password).contains(unknown));
    assert!(refs("ann", &newer).contains(known));

    let scopes = ["token", "create", "ann", "--scopes", "read_repository"];
    let token = admin(0, &scopes).out.trim().to_owned();
    assert!(token.starts_with("glpat-"), "{token}");
    assert!(refs("ann", &token).contains(known));
    let listed = admin(0, &["token", "list", "ann"]);
    assert!(listed.out.contains("read_repository"), "{}", listed.out);
    assert!(!listed.out.contains(&token));
    let number = listed
        .out
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    admin(0, &["token", "revoke", number]);
    assert!(refs("ann", &token).contains(unknown));
    admin(2, &["token", "create", "ann", "--scopes", "everything"]);

    admin(0, &["user", "block", "ann"]);
    assert!(refs("ann", &newer).contains("403"));
    let listed = admin(0, &["user", "list"]);
    let line = |name: &str| {
        let found = listed.out.lines().find(|line| line.contains(name));
        found.unwrap().to_owned()
    };
    assert!(line("root").contains("administrator"));
    assert!(line("ann").contains("blocked"));
    admin(0, &["user", "unblock", "ann"]);
    assert!(refs("ann", &newer).contains(known));
    let nobody = admin(2, &["user", "password", "nobody"]);
    assert!(nobody.err.contains("there is no user `nobody`"));
}

#[test]
fn a_directory_without_a_server_stays_as_it_is() {
    let sandbox = Sandbox::empty();
    let done = sandbox.shipway(&["admin", "--data", "nowhere", "user", "list"]);
    done.exits(2);
    assert!(
        done.err.contains("no server has kept anything in"),
        "{}",
        done.err
    );
    assert!(!sandbox.path().join("nowhere").exists());
}
