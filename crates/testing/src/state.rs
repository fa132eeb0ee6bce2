//! Everything that a server keeps, as text: two of them are the same if nothing has changed.

use std::fmt::Write;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection};
use sqlx_sqlite::{SqliteConnectOptions, SqliteConnection};

/// What says only that somebody was here.
const VISITS: [&str; 3] = ["last_used_at", "contacted_at", "sessions"];

/// Every row of the SQLite database in a data directory, and every other file's name and size.
/// When a token or a runner was last seen, and who is signed in, is left out.
pub async fn of(data: &Path) -> String {
    let mut text = rows(&data.join("shipway.db")).await;
    let mut files = Vec::new();
    list(data, &mut files);
    files.sort();
    text.push_str(&files.join("\n"));
    text
}

async fn rows(database: &Path) -> String {
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("the database");
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    let tables = strings(&mut connection, tables.to_owned()).await;
    let mut text = String::new();
    for table in tables
        .iter()
        .filter(|name| !VISITS.contains(&name.as_str()))
    {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = strings(&mut connection, columns).await;
        let values: Vec<String> = (columns.iter())
            .filter(|name| !VISITS.contains(&name.as_str()))
            .map(|name| format!("'{name} ' || quote(\"{name}\")"))
            .collect();
        let rows = format!("SELECT {} FROM \"{table}\"", values.join(" || ', ' || "));
        let mut rows = strings(&mut connection, rows).await;
        rows.sort();
        writeln!(text, "{table}:\n  {}", rows.join("\n  ")).expect("memory");
    }
    connection.close().await.expect("close");
    text
}

/// The first column of a question.
async fn strings(connection: &mut SqliteConnection, question: String) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(question))
        .fetch_all(connection)
        .await
        .expect("rows")
}

fn list(directory: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            list(&entry.path(), files);
        } else if !name.starts_with("shipway.db") {
            let size = entry.metadata().map_or(0, |data| data.len());
            files.push(format!("{} {size}", entry.path().display()));
        }
    }
}
