//! Files from a host on this machine.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use shipway_fetch::{FetchError, Limits, Reach, get};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits {
    bytes: 1000,
    time: Duration::from_secs(20),
};

/// A host that answers each path in its way; ends with the test's process.
struct Host {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Host {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let number = count.fetch_add(1, Ordering::SeqCst);
                let path = first.split(' ').nth(1).unwrap();
                if path == "/silent.yml" {
                    thread::sleep(Duration::from_secs(5));
                }
                let _ = stream.write_all(answer(path, number).as_bytes());
            }
        });
        Self { address, asked }
    }

    fn get(&self, path: &str, reach: Reach, limits: &Limits) -> Result<String, FetchError> {
        get(&format!("{}{path}", self.address), reach, limits)
    }
}

fn answer(path: &str, number: usize) -> String {
    let with = |status: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    };
    let to = |target: &str| {
        format!(
            "HTTP/1.1 302 F\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    match path {
        "/a.yml" => with("200 OK", "a: 1"),
        "/once.yml" => to("/a.yml"),
        "/circle.yml" => to("/circle.yml"),
        "/file.yml" => to("file:///etc/passwd"),
        "/big.yml" => with("200 OK", &"x".repeat(1001)),
        "/full.yml" => with("200 OK", &"x".repeat(1000)),
        "/endless.yml" => format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
            "x".repeat(5000)
        ),
        "/broken.yml" => {
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab".to_owned()
        }
        "/later.yml" if number > 0 => with("200 OK", "late: 1"),
        "/later.yml" => with("503 Busy", ""),
        _ => with("404 Not Found", ""),
    }
}

#[test]
fn files_and_redirects_within_limits() {
    let host = Host::start();
    for (path, expected) in [
        ("/a.yml", "a: 1"),
        ("/once.yml", "a: 1"),
        ("/full.yml", &"x".repeat(1000)),
    ] {
        let found = host.get(path, Reach::Everywhere, &LIMITS).unwrap();
        assert_eq!(found, expected, "{path}");
    }
    for (path, expected) in [
        ("/none.yml", "of HTTP code `404` error"),
        ("/circle.yml", "it redirects more than 5 times"),
        (
            "/file.yml",
            "`file:///etc/passwd` is not an address of HTTP or HTTPS",
        ),
        ("/big.yml", "it has more than 1000 bytes"),
        ("/endless.yml", "it has more than 1000 bytes"),
    ] {
        let error = host.get(path, Reach::Everywhere, &LIMITS).unwrap_err();
        assert_eq!(error.to_string(), expected, "{path}");
    }
    let error = host.get("/broken.yml", Reach::Everywhere, &LIMITS);
    assert!(matches!(error, Err(FetchError::Network(_))), "{error:?}");
}

#[test]
fn what_may_pass_is_tried_again() {
    let host = Host::start();
    let found = host.get("/later.yml", Reach::Everywhere, &LIMITS);
    assert_eq!(found.unwrap(), "late: 1");
    assert_eq!(host.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_silent_host_costs_no_more_than_the_time() {
    let host = Host::start();
    let started = Instant::now();
    let limits = Limits {
        time: Duration::from_millis(300),
        ..LIMITS
    };
    let error = host.get("/silent.yml", Reach::Everywhere, &limits);
    assert!(matches!(error, Err(FetchError::Timeout)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn this_machine_is_not_asked_where_only_the_public_is() {
    let host = Host::start();
    let port = host.address.rsplit(':').next().unwrap();
    for url in [
        format!("http://127.0.0.1:{port}/a.yml"),
        format!("http://localhost:{port}/a.yml"),
        format!("http://[::1]:{port}/a.yml"),
        format!("http://[::ffff:127.0.0.1]:{port}/a.yml"),
        format!("http://0x7f000001:{port}/a.yml"),
        format!("http://2130706433:{port}/a.yml"),
        "http://169.254.169.254/latest/meta-data.yml".to_owned(),
    ] {
        let error = get(&url, Reach::Public, &LIMITS).unwrap_err();
        assert!(error.is_private(), "{url}: {error}");
    }
    assert_eq!(host.asked.load(Ordering::SeqCst), 0);
}
