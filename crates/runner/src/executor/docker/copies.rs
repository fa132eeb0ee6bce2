//! The files of a job on an engine that does not see this machine's: they go there and come
//! back as archives, in volumes that all containers of the job share.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::body_try_stream;
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::engine::DockerError;
use super::words;
use crate::stage::blocking;

/// Pieces of an archive that are on their way at most.
const PIECES: usize = 8;
const PIECE_BYTES: usize = 64 * 1024;

/// A directory here and its place in the containers.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// On this machine.
    pub(super) here: PathBuf,
    /// In a container; absolute.
    pub(super) there: String,
}

impl Pair {
    fn fault(&self, doing: &'static str, reason: String) -> DockerError {
        DockerError::Copy {
            doing,
            path: self.there.clone(),
            reason,
        }
    }
}

/// Puts what is in the directories into a container, beside and over what is there.
pub(super) async fn give(engine: &Docker, id: &str, pairs: &[Pair]) -> Result<(), DockerError> {
    let (sender, mut receiver) = mpsc::channel(PIECES);
    let all = pairs.to_vec();
    let packing = tokio::task::spawn_blocking(move || {
        let mut output = BufWriter::with_capacity(PIECE_BYTES, Pieces(sender.clone()));
        let packed = pack(&all, &mut output).and_then(|()| output.flush());
        if let Err(error) = packed {
            // The engine gets no whole archive, and refuses it.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let body = body_try_stream(pieces);
    let sent = engine.upload_to_container(id, Some(options), body).await;
    let _ = packing.await;
    match (sent, pairs.first()) {
        (Err(error), Some(first)) => Err(first.fault("copy to", words(error))),
        _ => Ok(()),
    }
}

/// Makes a directory here the same as that in a container. `scratch` is a directory beside it,
/// on its file system; at most `limit` bytes of an archive are taken.
pub(super) async fn take(
    engine: &Docker,
    id: &str,
    pair: &Pair,
    scratch: &Path,
    limit: u64,
) -> Result<(), DockerError> {
    let options = DownloadFromContainerOptionsBuilder::default()
        .path(&pair.there)
        .build();
    let mut pieces = Box::pin(engine.download_from_container(id, Some(options)));
    let (sender, receiver) = mpsc::channel::<Bytes>(PIECES);
    let (here, scratch) = (pair.here.clone(), scratch.to_owned());
    let unpacking = blocking(move || {
        let reader = Received {
            pieces: receiver,
            piece: Bytes::new(),
        };
        unpack(reader, &here, &scratch, limit)
    });
    let fetch = async {
        while let Some(piece) = next(&mut pieces).await? {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        Ok(())
    };
    let (fetched, unpacked) = tokio::join!(fetch, unpacking);
    fetched.map_err(|error| pair.fault("copy from", words(error)))?;
    unpacked.map_err(|error| pair.fault("copy from", error.to_string()))
}

async fn next<E>(
    pieces: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
) -> Result<Option<Bytes>, E> {
    pieces.next().await.transpose()
}

/// Writes an archive with the directories under their places.
fn pack(pairs: &[Pair], output: impl Write) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(output);
    archive.follow_symlinks(false);
    archive.sparse(false);
    for pair in pairs {
        archive.append_dir_all(pair.there.trim_start_matches('/'), &pair.here)?;
    }
    archive.finish()
}

/// Unpacks an archive whose one directory takes the place of `here`. A job wrote what is in it,
/// so nothing leaves `scratch` while it is unpacked.
fn unpack(reader: impl Read, here: &Path, scratch: &Path, limit: u64) -> std::io::Result<()> {
    let parent = tempfile::tempdir_in(scratch)?;
    let mut archive = tar::Archive::new(reader.take(limit));
    archive.set_preserve_permissions(false);
    archive.set_unpack_xattrs(false);
    archive.unpack(parent.path())?;
    // The end of the stream is read, so that whoever sends it is not cut off.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;
    let mut entries = std::fs::read_dir(parent.path())?.flatten();
    let only = entries.next().filter(|entry| {
        // Not through a link.
        entry.file_type().is_ok_and(|kind| kind.is_dir())
    });
    let Some(only) = only else {
        let text = "it is no directory any more";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
    };
    let old = parent.path().join(".old");
    std::fs::rename(here, &old)?;
    std::fs::rename(only.path(), here)
}

/// Sends what is written to it.
struct Pieces(mpsc::Sender<std::io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        match sent {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads what was received.
struct Received {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, kind, target) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            header.set_size(0);
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            if !target.is_empty() {
                header.set_link_name_literal(target).unwrap();
            }
            header.set_cksum();
            archive.append(&header, &[][..]).unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn what_goes_comes_back() {
        let top = tempfile::tempdir().unwrap();
        let here = top.path().join("project");
        std::fs::create_dir_all(here.join("a/b")).unwrap();
        std::fs::write(here.join("a/file"), "text").unwrap();
        std::os::unix::fs::symlink("a/file", here.join("link")).unwrap();
        let pair = Pair {
            here: here.clone(),
            there: "/builds/group/project".into(),
        };
        let mut packed = Vec::new();
        pack(std::slice::from_ref(&pair), &mut packed).unwrap();
        let mut names = tar::Archive::new(&packed[..]);
        let names: Vec<_> = names
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert!(
            names
                .iter()
                .all(|name| name.starts_with("builds/group/project")),
            "{names:?}"
        );

        let returned = archive(&[
            ("project/", tar::EntryType::Directory, ""),
            ("project/new", tar::EntryType::Regular, ""),
            ("project/out", tar::EntryType::Symlink, "/etc"),
        ]);
        unpack(&returned[..], &here, top.path(), u64::MAX).unwrap();
        assert!(!here.join("a").exists() && here.join("new").is_file());
        assert!(here.join("out").is_symlink());
        use std::os::unix::fs::PermissionsExt;
        let mode = here.join("new").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7000, 0, "no file is run as its owner");
        assert_eq!(std::fs::read_dir(top.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_leaves_the_directory() {
        use tar::EntryType::{Directory, Link, Regular, Symlink};
        for entries in [
            &[("project/", Symlink, "/")][..],
            &[("project/", Regular, "")],
            &[],
            &[
                ("project/", Directory, ""),
                ("project/l", Symlink, "/tmp"),
                ("project/l/shipway-evil", Regular, ""),
            ],
            &[
                ("project/", Directory, ""),
                ("project/../../shipway-evil", Regular, ""),
            ],
            &[
                ("project/", Directory, ""),
                ("project/h", Link, "/etc/passwd"),
            ],
        ] {
            let top = tempfile::tempdir().unwrap();
            let here = top.path().join("below/project");
            std::fs::create_dir_all(&here).unwrap();
            // An error or nothing: what counts is what is there afterwards.
            let _ = unpack(
                &archive(entries)[..],
                &here,
                &top.path().join("below"),
                u64::MAX,
            );
            assert!(here.is_dir(), "{entries:?}");
            assert!(
                !here.is_symlink() && !here.join("h").exists(),
                "{entries:?}"
            );
            assert!(!Path::new("/tmp/shipway-evil").exists(), "{entries:?}");
            assert!(!top.path().join("shipway-evil").exists(), "{entries:?}");
        }
        let top = tempfile::tempdir().unwrap();
        let here = top.path().join("project");
        std::fs::create_dir(&here).unwrap();
        let long = archive(&[("project/", Directory, ""), ("project/a", Regular, "")]);
        assert!(
            unpack(&long[..], &here, top.path(), 600).is_err(),
            "over the limit"
        );
    }
}
