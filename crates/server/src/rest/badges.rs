//! `/projects/:id/badges`: images that a project shows. What they show of pipelines is made by
//! the pages.

use serde::Serialize;
use shipway_store::{BadgeRow, NewBadge};

use super::call::{Answer, ProjectCall, created, no_content, ok};
use super::commits::resolve;
use super::paging::Paging;
use super::routes::Routes;
use crate::clock::now;
use crate::error::ApiError;
use crate::limits;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let (read, manage) = (Action::ReadProject, Action::ManageSettings);
    routes
        .get("/projects/{id}/badges", read, list)
        .post("/projects/{id}/badges", manage, create)
        .get("/projects/{id}/badges/render", read, render)
        .get("/projects/{id}/badges/{badge_id}", read, show)
        .put("/projects/{id}/badges/{badge_id}", manage, update)
        .delete("/projects/{id}/badges/{badge_id}", manage, delete)
}

/// GitLab's `Badge`.
#[derive(Debug, Serialize)]
struct Badge {
    name: Option<String>,
    link_url: String,
    image_url: String,
    rendered_link_url: String,
    rendered_image_url: String,
    id: i64,
    kind: &'static str,
}

/// Addresses that nobody keeps.
#[derive(Debug, Serialize)]
struct Rendered {
    link_url: String,
    image_url: String,
    rendered_link_url: String,
    rendered_image_url: String,
}

/// What placeholders stand for.
struct Words(Vec<(&'static str, String)>);

impl Words {
    async fn read(call: &ProjectCall) -> Result<Self, ApiError> {
        let project = &call.project;
        let path = project.full_path.as_str();
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let group = namespace.split('/').next().unwrap_or_default();
        let branch = project.default_branch.clone().unwrap_or_default();
        let code = (call.app)
            .allows(&call.identity, project, Action::ReadCode)
            .await?;
        let (mut sha, mut tag) = (String::new(), String::new());
        if code {
            let repository = call.app.coordinator().repository(project).await?;
            let found = resolve(call, &repository, &branch).await?;
            sha = found.unwrap_or_default();
            let mut tags = repository.refs().await?.tags;
            tags.sort_by_key(|tag| tag.date.parse::<jiff::Timestamp>().ok());
            tag = tags.pop().map(|tag| tag.name).unwrap_or_default();
        }
        let server = &call.app.settings().external_url;
        Ok(Self(vec![
            ("%{project_path}", path.to_owned()),
            ("%{project_title}", project.name.clone()),
            ("%{project_name}", name.to_owned()),
            ("%{project_id}", project.id.to_string()),
            ("%{project_namespace}", namespace.to_owned()),
            ("%{group_name}", group.to_owned()),
            ("%{gitlab_server}", server.to_string()),
            ("%{default_branch}", branch),
            ("%{commit_sha}", sha),
            ("%{latest_tag}", tag),
        ]))
    }

    fn put_into(&self, url: &str) -> String {
        // From left to right: what stands for one is not looked at again.
        let mut rest = url;
        let mut done = String::new();
        while let Some(at) = rest.find("%{") {
            done.push_str(&rest[..at]);
            rest = &rest[at..];
            let known = self.0.iter().find(|(name, _)| rest.starts_with(name));
            let (name, value) = known.map_or(("%{", "%{"), |(name, value)| (*name, value));
            done.push_str(value);
            rest = &rest[name.len()..];
        }
        done.push_str(rest);
        done
    }

    fn badge(&self, row: BadgeRow) -> Badge {
        Badge {
            rendered_link_url: self.put_into(&row.link_url),
            rendered_image_url: self.put_into(&row.image_url),
            name: row.name,
            link_url: row.link_url,
            image_url: row.image_url,
            id: row.id.0,
            kind: "project",
        }
    }
}

/// An address of the web, if it is given.
fn url(call: &ProjectCall, name: &str) -> Result<Option<String>, ApiError> {
    let url = call.params.up_to(name, limits::URL)?;
    let rest = url.as_deref().and_then(|url| {
        let web = url.strip_prefix("https://");
        web.or_else(|| url.strip_prefix("http://"))
    });
    let sound = |rest: &str| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"'".contains(c))
    };
    match (&url, rest) {
        (Some(_), None) => Err(ApiError::invalid(
            name,
            "is blocked: Only allowed schemes are http, https",
        )),
        (Some(_), Some(rest)) if !sound(rest) => {
            Err(ApiError::invalid(name, "must be a valid URL"))
        }
        _ => Ok(url),
    }
}

fn required_url(call: &ProjectCall, name: &str) -> Result<String, ApiError> {
    url(call, name)?.ok_or_else(|| ApiError::parameter(format!("{name} is missing")))
}

async fn find(call: &ProjectCall) -> Result<BadgeRow, ApiError> {
    let id = call.path.number("badge_id")?;
    let rows = call.store().badges(call.project.id).await?;
    let found = rows.into_iter().find(|row| row.id.0 == id);
    found.ok_or_else(|| ApiError::not_found("Badge"))
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let name = call.params.text("name")?;
    let mut rows = call.store().badges(call.project.id).await?;
    rows.retain(|row| name.is_none() || row.name == name);
    let (rows, total) = paging.cut(rows);
    let words = Words::read(&call).await?;
    let entities = rows.into_iter().map(|row| words.badge(row));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(Words::read(&call).await?.badge(row))
}

async fn render(call: ProjectCall) -> Answer {
    let (link_url, image_url) = (
        required_url(&call, "link_url")?,
        required_url(&call, "image_url")?,
    );
    let words = Words::read(&call).await?;
    ok(Rendered {
        rendered_link_url: words.put_into(&link_url),
        rendered_image_url: words.put_into(&image_url),
        link_url,
        image_url,
    })
}

async fn create(call: ProjectCall) -> Answer {
    let new = NewBadge {
        project_id: call.project.id,
        name: call.params.short("name")?.filter(|name| !name.is_empty()),
        link_url: required_url(&call, "link_url")?,
        image_url: required_url(&call, "image_url")?,
        created_at: now(),
    };
    let mut transaction = call.store().begin().await?;
    let row = transaction.insert_badge(&new).await?;
    transaction.commit().await?;
    created(Words::read(&call).await?.badge(row))
}

async fn update(call: ProjectCall) -> Answer {
    let (link_url, image_url) = (url(&call, "link_url")?, url(&call, "image_url")?);
    let name = call.params.short("name")?;
    let before = find(&call).await?;
    let row = BadgeRow {
        link_url: link_url.unwrap_or(before.link_url),
        image_url: image_url.unwrap_or(before.image_url),
        name: name.or(before.name).filter(|name| !name.is_empty()),
        ..before
    };
    let mut transaction = call.store().begin().await?;
    transaction.update_badge(&row).await?;
    transaction.commit().await?;
    ok(Words::read(&call).await?.badge(row))
}

async fn delete(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_badge(row.id).await?;
    transaction.commit().await?;
    no_content()
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn placeholders() {
        let words = Words(vec![
            ("%{project_path}", "g/%{project_id}".to_owned()),
            ("%{project_id}", "7".to_owned()),
        ]);
        for (url, expected) in [
            ("https://a/%{project_id}/x", "https://a/7/x"),
            // Not twice.
            ("https://a/%{project_path}", "https://a/g/%{project_id}"),
            ("https://a/%{nothing}%{", "https://a/%{nothing}%{"),
            ("https://a/%{project_id}%{project_id}", "https://a/77"),
        ] {
            assert_eq!(words.put_into(url), expected);
        }
    }
}
