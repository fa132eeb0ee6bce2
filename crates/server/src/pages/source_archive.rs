//! `GET /-/archive/{ref}/{name}.zip`: the files of a ref, as releases link to them.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use shipway_git::hosting::{Archive, ArchiveFormat, Limits};

use super::refs::{repository, resolve};
use super::visit::ProjectVisit;
use crate::error::ApiError;
use crate::permission::Action;

/// The name before the format, and the format.
fn parts(file: &str) -> Option<(&str, ArchiveFormat)> {
    ["tar.gz", "tar.bz2", "tar", "zip"].iter().find_map(|end| {
        let top = file.strip_suffix(end)?.strip_suffix('.')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._+~".contains(c);
        let sound = !top.is_empty() && !top.starts_with('.') && top.chars().all(plain);
        sound.then_some((top, ArchiveFormat::parse(end)?))
    })
}

pub(super) async fn show(
    visit: ProjectVisit,
    Path((name, file)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    visit.require(Action::ReadCode)?;
    let missing = || ApiError::not_found("File");
    let (top, format) = parts(&file).ok_or_else(missing)?;
    if !format.is_available() {
        return Err(ApiError::message(
            StatusCode::NOT_FOUND,
            format!("404 - this server cannot make {}", format.extension()),
        ));
    }
    let (_, sha) = resolve(&visit, &name).await?.ok_or_else(missing)?;
    let repository = repository(&visit).await?.ok_or_else(missing)?;
    let wanted = Archive {
        format,
        top: top.to_owned(),
        path: None,
    };
    let limits = Limits::default();
    let output = repository.archive(&sha, &wanted, &limits);
    let body = Body::from_stream(output.await?);
    let attached = format!("attachment; filename=\"{top}.{}\"", format.extension());
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, attached),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'".to_owned(),
        ),
    ];
    Ok((headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_archives() {
        for (file, expected) in [
            ("app-1.0.zip", Some(("app-1.0", ArchiveFormat::Zip))),
            ("app.tar.gz", Some(("app", ArchiveFormat::TarGz))),
            ("app.tar", Some(("app", ArchiveFormat::Tar))),
            (".zip", None),
            ("app", None),
            ("a\"b.zip", None),
            ("..zip", None),
        ] {
            assert_eq!(parts(file), expected, "{file}");
        }
    }
}
