//! The files of a commit in one archive.

use super::body::Output;
use super::repository::{BareRepository, checked_id};
use super::service::Limits;
use super::stream::stream;
use super::{QueryError, call::Call};

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// Uncompressed.
    Tar,
    /// Compressed by gzip.
    TarGz,
    /// Compressed by bzip2, a program that the machine must have.
    TarBz2,
    /// The one of Windows.
    Zip,
}

impl ArchiveFormat {
    /// From the end of a file's name, without the dot before it.
    pub fn parse(extension: &str) -> Option<Self> {
        match extension {
            "tar" => Some(Self::Tar),
            "tar.gz" | "tgz" | "gz" => Some(Self::TarGz),
            "tar.bz2" | "tbz" | "tbz2" | "tb2" | "bz2" => Some(Self::TarBz2),
            "zip" => Some(Self::Zip),
            _ => None,
        }
    }

    /// The usual end of a file's name, without the dot before it; also git's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
            Self::Zip => "zip",
        }
    }

    /// Whether this machine can make it.
    pub fn is_available(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self != Self::TarBz2
            || std::env::split_paths(&path).any(|directory| directory.join("bzip2").is_file())
    }

    fn settings(self, call: Call) -> Call {
        match self {
            Self::TarBz2 => call.setting("tar.tar.bz2.command=bzip2 -c"),
            _ => call,
        }
    }
}

/// An archive that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Its form.
    pub format: ArchiveFormat,
    /// The directory at its top that holds everything, without a slash.
    pub top: String,
    /// Only this file or directory, which must exist; see [`BareRepository::tree_entry`].
    pub path: Option<String>,
}

impl BareRepository {
    /// The archive of a commit, made while it is read. A fault of git's ends the output with an
    /// error; when nobody reads any more, git is stopped.
    ///
    /// # Errors
    ///
    /// When the id is malformed, or git cannot be started.
    pub async fn archive(
        &self,
        commit: &str,
        wanted: &Archive,
        limits: &Limits,
    ) -> Result<Output, QueryError> {
        let commit = checked_id(commit)?;
        let mut call = wanted.format.settings(self.call()).args([
            "archive".to_owned(),
            format!("--format={}", wanted.format.extension()),
            format!("--prefix={}/", wanted.top),
            commit,
        ]);
        if let Some(path) = &wanted.path {
            call = call.args(["--", path]);
        }
        let process = call.spawn()?;
        let (sender, output) = Output::channel();
        tokio::spawn(stream(process, Vec::new(), None, sender, *limits));
        Ok(output)
    }
}
