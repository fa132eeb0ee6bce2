//! A PostgreSQL server of this test process, on a socket in a temporary directory.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;

/// Makes a cluster, serves it, and ends it when the input ends: with the test process,
/// however that ends. PostgreSQL refuses to run as root. Benchmarks set `FSYNC` to `on`.
const SERVE: &str = r#"
set -e
if [ "$(id -u)" = 0 ]; then
    for user in postgres nobody; do id "$user" >/dev/null 2>&1 && break; done
    chown "$user" "$DIRECTORY"
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi
cd "$DIRECTORY"
$as "$BIN/initdb" -D data -U shipway -A trust -E UTF8 --locale=C --no-sync >log 2>&1
$as "$BIN/postgres" -D "$DIRECTORY/data" -k "$DIRECTORY" -c listen_addresses= -c fsync="${FSYNC:-off}" \
    -c max_connections=300 >>log 2>&1 &
cat >/dev/null
kill -INT %1 && wait
rm -rf "$DIRECTORY"
"#;

struct Server {
    directory: PathBuf,
    /// Its input is the server's life.
    _supervisor: Child,
}

/// Where the server programs are: on the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let has = |place: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| place.join(name).is_file())
    };
    places.into_iter().find(has)
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Some(start(&programs()?))).as_ref()
}

fn start(programs: &Path) -> Server {
    let directory = tempfile::tempdir().expect("temp dir").keep();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&directory, open).expect("permissions");
    let supervisor = Command::new("bash")
        .args(["-mc", SERVE])
        .env("DIRECTORY", &directory)
        .env("BIN", programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash");
    Server {
        directory,
        _supervisor: supervisor,
    }
}

impl Server {
    fn url(&self, database: &str) -> String {
        let host = self.directory.display();
        format!("postgres://shipway@localhost/{database}?host={host}")
    }

    async fn connect(&self) -> sqlx::PgConnection {
        let start = Instant::now();
        loop {
            match sqlx::PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return connection,
                Err(error) if start.elapsed() > Duration::from_secs(60) => {
                    let log = std::fs::read_to_string(self.directory.join("log"));
                    panic!("no PostgreSQL: {error}\n{}", log.unwrap_or_default());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// The URL of a new, empty database; none where PostgreSQL is not installed, which is noted.
pub async fn database() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(server) = server() else {
        crate::skips::skipped("PostgreSQL is not installed");
        return None;
    };
    let name = format!("store{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = server.connect().await;
    let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .expect("database");
    connection.close().await.expect("close");
    Some(server.url(&name))
}
