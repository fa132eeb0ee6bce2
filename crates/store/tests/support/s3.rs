//! A server of S3's protocol of this test process, `s3s-fs`, on a port of loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use shipway_store::Objects;

/// Serves until the input ends: with the test process, however that ends.
const SERVE: &str = r#"
"$PROGRAM" --host 127.0.0.1 --port "$PORT" --access-key shipway --secret-key geheim "$DIRECTORY" \
    >"$DIRECTORY.log" 2>&1 &
cat >/dev/null
kill %1 && wait
rm -rf "$DIRECTORY" "$DIRECTORY.log"
"#;

struct Server {
    directory: PathBuf,
    port: u16,
    /// Its input is the server's life.
    _supervisor: Child,
}

/// Where the program is: on the path, or where `./test` installs it.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin"));
    let programs = places.into_iter().map(|place| place.join("s3s-fs"));
    programs.into_iter().find(|program| program.is_file())
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Some(start(&program()?))).as_ref()
}

fn start(program: &Path) -> Server {
    let directory = tempfile::tempdir().expect("temp dir").keep();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let port = free.local_addr().expect("port").port();
    drop(free);
    let supervisor = Command::new("bash")
        .args(["-mc", SERVE])
        .env("PROGRAM", program)
        .env("PORT", port.to_string())
        .env("DIRECTORY", &directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash");
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "no s3s-fs");
        std::thread::sleep(Duration::from_millis(20));
    }
    Server {
        directory,
        port,
        _supervisor: supervisor,
    }
}

/// The name of a new, empty bucket; none where the server is not installed, which is noted.
pub(crate) fn bucket() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(server) = server() else {
        shipway_testing::skips::skipped("s3s-fs is not installed");
        return None;
    };
    let name = format!("bucket{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    std::fs::create_dir(server.directory.join(&name)).expect("bucket");
    Some(name)
}

/// What `AWS_…` of the environment would say.
pub(crate) fn variables() -> Vec<(String, String)> {
    let port = server().expect("server").port;
    [
        ("AWS_ACCESS_KEY_ID", "shipway".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "geheim".to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_REGION", "eu-central-1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// A prefix in a bucket.
pub(crate) fn objects(bucket: &str) -> Objects {
    Objects::new(&format!("s3://{bucket}/ci/artifacts"), variables()).expect("objects")
}

/// The server's own files for uploads that are not complete, by the beginning of their names.
pub(crate) fn files(beginning: &str) -> Vec<String> {
    let directory = std::fs::read_dir(&server().expect("server").directory);
    let names = directory.expect("directory").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(beginning)).collect()
}
