//! `shipway admin backup`, `restore` and `check`: everything that a server keeps.

use std::path::Path;

use shipway_git::hosting::{BareRepository, Repositories};
use shipway_server::App;
use shipway_store::{CheckDepth, Store};

use crate::error::Fault;
use crate::output;

/// Where the repositories are, in the data directory and in a backup.
const REPOSITORIES: &str = "repositories";

/// Copies everything, while the server runs, into a new directory.
pub(super) async fn backup(app: &App, to: &Path) -> Result<(), Fault> {
    let to = std::path::absolute(to).map_err(Fault::usage)?;
    let copied = app.store().backup(&to).await.map_err(Fault::other)?;
    // After the rows: a push in between is caught up with when the copy is served.
    let copies = Repositories::open(&to.join(REPOSITORIES)).map_err(Fault::other)?;
    let numbers = app.repositories().list().await.map_err(Fault::other)?;
    for number in &numbers {
        let from = app
            .repositories()
            .get(*number)
            .await
            .map_err(Fault::other)?;
        copy(&copies, *number, &from).await?;
    }
    output::print(|out| {
        writeln!(out, "{}", to.display())?;
        if !copied.database {
            writeln!(
                out,
                "  the database is not in it: copy it with pg_dump, at the same time"
            )?;
        }
        writeln!(
            out,
            "  {} repositories, {} logs",
            numbers.len(),
            copied.logs
        )?;
        match copied.artifacts {
            Some(count) => writeln!(out, "  {count} files of artifacts")?,
            None => writeln!(out, "  the artifacts stay in their bucket")?,
        }
        for fault in &copied.faults {
            writeln!(out, "  was wrong before: {fault}")?;
        }
        writeln!(
            out,
            "Keep {} apart from it: without that key the secrets in it cannot be read.",
            app.settings().data.join("secrets.key").display()
        )
    })
}

async fn copy(copies: &Repositories, number: u64, from: &BareRepository) -> Result<(), Fault> {
    let branch = from.default_branch().await.map_err(Fault::other)?;
    let copy = copies.create(number, &branch).await.map_err(Fault::other)?;
    copy.copy_from(from).await.map_err(Fault::other)
}

/// Makes a data directory of a backup.
pub(super) async fn restore(from: &Path, data: &Path) -> Result<(), Fault> {
    if data.join(REPOSITORIES).exists() {
        let text = format!("there is a server's data in {}", data.display());
        return Err(Fault::usage_text(text).hint("choose a new directory with --data DIR"));
    }
    Store::restore(from, data).await.map_err(Fault::usage)?;
    let saved = Repositories::open(&from.join(REPOSITORIES)).map_err(Fault::other)?;
    let restored = Repositories::open(&data.join(REPOSITORIES)).map_err(Fault::other)?;
    let numbers = saved.list().await.map_err(Fault::other)?;
    for number in &numbers {
        let from = saved.get(*number).await.map_err(Fault::other)?;
        copy(&restored, *number, &from).await?;
    }
    output::print(|out| {
        writeln!(out, "{}", data.display())?;
        writeln!(out, "  {} repositories", numbers.len())?;
        writeln!(
            out,
            "Put the key of the server that was backed up to {}, then start it with --data.",
            data.join("secrets.key").display()
        )
    })
}

/// Looks whether everything that the rows name is there and whole; returns the exit code.
pub(super) async fn check(app: &App, deep: bool) -> Result<u8, Fault> {
    let depth = match deep {
        true => CheckDepth::Contents,
        false => CheckDepth::Sizes,
    };
    let faults = app.store().check(depth).await.map_err(Fault::other)?;
    let mut faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let numbers = app.repositories().list().await.map_err(Fault::other)?;
    for number in &numbers {
        let repository = app
            .repositories()
            .get(*number)
            .await
            .map_err(Fault::other)?;
        let damage = repository.damage().await.map_err(Fault::other)?;
        let lines = damage.lines().filter(|line| !line.trim().is_empty());
        faults.extend(lines.map(|line| format!("repository of project {number}: {line}")));
    }
    output::print(|out| {
        for fault in &faults {
            writeln!(out, "{fault}")?;
        }
        match faults.len() {
            0 => writeln!(
                out,
                "Everything is there, {} repositories among it.",
                numbers.len()
            ),
            count => writeln!(out, "{count} faults"),
        }
    })?;
    Ok(u8::from(!faults.is_empty()))
}
