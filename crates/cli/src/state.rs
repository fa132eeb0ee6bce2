//! The state directory of a project.

use std::path::Path;

use shipway_store::Store;

use crate::error::Fault;

/// Opens the state, making it where there is none. It ignores itself in git.
pub(crate) async fn open(directory: &Path) -> Result<Store, Fault> {
    let fault = |cause: std::io::Error| {
        Fault::usage_text(format!("cannot write to {}: {cause}", directory.display())).hint(
            "name a directory you may write to with `--state-dir`; logs, artifacts and caches go there",
        )
    };
    prepare(directory).map_err(fault)?;
    Store::open(directory).await.map_err(Fault::usage)
}

/// Makes the directory where there is none, ignored in git.
pub(crate) fn prepare(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let ignore = directory.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n")?;
    }
    Ok(())
}

/// Opens the state of past runs, or says that there is none.
pub(crate) async fn open_existing(directory: &Path) -> Result<Store, Fault> {
    if !directory.is_dir() {
        return Err(Fault::usage_text(format!(
            "there are no past runs: {} does not exist",
            directory.display()
        ))
        .hint("`shipway run` makes the first one"));
    }
    open(directory).await
}
