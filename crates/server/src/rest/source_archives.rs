//! `/projects/:id/repository/archive`: the files of a commit in one file.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use shipway_git::hosting::{Archive, ArchiveFormat};

use super::call::{Answer, ProjectCall};
use super::commits::resolve;
use super::routes::Routes;
use super::serve_file::set_attachment;
use crate::error::ApiError;
use crate::permission::Action;

/// A route for each end that a name may have.
macro_rules! with_ends {
    ($routes:expr, $($end:literal)*) => {
        $routes$(.get(
            concat!("/projects/{id}/repository/archive", $end),
            Action::ReadCode,
            |call| answer(call, $end),
        ))*
    };
}

pub(super) fn routes(routes: Routes) -> Routes {
    with_ends!(routes, "" ".tar.gz" ".tgz" ".tar" ".zip" ".tar.bz2" ".tbz2" ".bz2")
}

async fn answer(call: ProjectCall, end: &'static str) -> Answer {
    let given = call.params.text("format")?;
    let extension = end
        .strip_prefix('.')
        .or(given.as_deref())
        .unwrap_or("tar.gz");
    let format = ArchiveFormat::parse(extension);
    let format = format.ok_or_else(|| ApiError::parameter("format does not have a valid value"))?;
    if !format.is_available() {
        return Err(ApiError::bad_request(format!(
            "this server cannot make {}; ask for tar.gz or zip",
            format.extension()
        )));
    }
    if call.params.has("exclude_paths")
        && !call
            .params
            .list("exclude_paths")?
            .is_none_or(|list| list.is_empty())
    {
        return Err(ApiError::bad_request(
            "exclude_paths is not supported; give a path",
        ));
    }
    let missing = || ApiError::not_found("File");
    let name = call
        .params
        .text("sha")?
        .or(call.project.default_branch.clone());
    let name = name.ok_or_else(missing)?;
    let repository = call.app.coordinator().repository(&call.project).await?;
    let sha = resolve(&call, &repository, &name).await?;
    let sha = sha.ok_or_else(missing)?;
    let path = call.params.text("path")?;
    let path = path.map(|path| path.trim_matches('/').to_owned());
    let path = path.filter(|path| !path.is_empty());
    if let Some(path) = &path {
        repository
            .tree_entry(&sha, path)
            .await?
            .ok_or_else(missing)?;
    }
    let project = call.project.full_path.rsplit('/').next();
    let project = project.unwrap_or(&call.project.full_path);
    let top = top(project, &name, &sha, path.as_deref());
    let wanted = Archive {
        format,
        top: top.clone(),
        path,
    };
    let limits = shipway_git::hosting::Limits::default();
    let output = repository.archive(&sha, &wanted, &limits).await?;
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match format {
            ArchiveFormat::Zip => "application/zip",
            ArchiveFormat::Tar => "application/x-tar",
            ArchiveFormat::TarGz => "application/gzip",
            ArchiveFormat::TarBz2 => "application/x-bzip2",
        }),
    );
    set_attachment(&mut headers, &format!("{top}.{}", format.extension()));
    Ok((StatusCode::OK, headers, Body::from_stream(output)).into_response())
}

/// The directory at the top, as GitLab names it: project, ref and commit, and the path.
fn top(project: &str, name: &str, sha: &str, path: Option<&str>) -> String {
    let parts = [Some(project), Some(name), Some(sha), path];
    let parts: Vec<String> = (parts.into_iter().flatten())
        .map(|part| part.replace(['/', '\\'], "-"))
        .collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::top;

    #[test]
    fn tops() {
        assert_eq!(top("p", "main", "0a", None), "p-main-0a");
        assert_eq!(top("p", "feat/x", "0a", Some("a/b")), "p-feat-x-0a-a-b");
    }
}
