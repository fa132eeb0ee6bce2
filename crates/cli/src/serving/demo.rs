//! `--demo`: both examples as projects, pushed with git as a person would.

use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rust_embed::RustEmbed;
use tokio::process::Command;

use crate::error::Fault;

/// The tags that the examples' jobs ask for.
pub(crate) const TAGS: [&str; 2] = ["python", "deploy"];

/// Who pushes the examples, and to whose namespace.
const OWNER: &str = "root";

/// The examples, as they are in the repository.
#[derive(RustEmbed)]
#[folder = "../../examples"]
#[exclude = "*/.shipway/*"]
#[exclude = "*/.venv/*"]
#[exclude = "*/__pycache__/*"]
#[exclude = "*/coverage/*"]
struct Examples;

const PROJECTS: [&str; 2] = ["python-stack", "flask-deploy"];

/// Pushes the examples to a server at `url`, with a token that may.
pub(crate) async fn push_examples(url: &str, token: &str) -> Result<(), Fault> {
    for project in PROJECTS {
        let directory = tempfile::tempdir().map_err(Fault::other)?;
        unpack(project, directory.path()).map_err(Fault::other)?;
        let git = async |arguments: &[&str]| git(directory.path(), token, arguments).await;
        git(&["init", "--quiet", "--initial-branch=main"]).await?;
        git(&["add", "--all"]).await?;
        git(&["commit", "--quiet", "--message", "An example for Shipway"]).await?;
        let address = format!("{url}/{OWNER}/{project}.git");
        git(&["push", "--quiet", &address, "main"]).await?;
    }
    Ok(())
}

fn unpack(project: &str, into: &Path) -> std::io::Result<()> {
    let prefix = format!("{project}/");
    for name in Examples::iter() {
        let Some(inside) = name.strip_prefix(&prefix) else {
            continue;
        };
        let Some(file) = Examples::get(&name) else {
            continue;
        };
        let path = into.join(inside);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, file.data)?;
    }
    Ok(())
}

async fn git(directory: &Path, token: &str, arguments: &[&str]) -> Result<(), Fault> {
    // The token comes by the environment: arguments are for everybody to see.
    let credentials = BASE64_STANDARD.encode(format!("{OWNER}:{token}"));
    let header = format!("Authorization: Basic {credentials}");
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Shipway",
            "-c",
            "user.email=demo@example.com",
        ])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "http.extraHeader")
        .env("GIT_CONFIG_VALUE_0", header)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(Fault::other)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Fault::usage_text(format!(
        "cannot push the examples: {}",
        said.trim()
    )))
}
