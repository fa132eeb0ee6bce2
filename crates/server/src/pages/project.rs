//! The page of a project: how to clone it, its badges, its latest pipelines; for an empty one
//! the commands of a first push.

use askama::Template;
use axum::response::Response;
use shipway_store::{Page, PipelineFilter, ProjectRow};

use super::html::{path, segment};
use super::pipelines::{PipelineItem, items};
use super::shell::{Place, Shell};
use super::visit::Visit;
use super::{events, page};
use crate::error::ApiError;
use crate::permission::Action;

/// Pipelines on the page.
const LATEST: i64 = 5;

/// A pipeline that passes anywhere, to begin with.
const FIRST_CONFIGURATION: &str = "test:\n  script:\n    - echo \"It works.\"";

#[derive(Debug, Template)]
#[template(path = "project.html")]
struct ProjectPage {
    shell: Shell,
    url: String,
    name: String,
    visibility: &'static str,
    description: String,
    default_branch: Option<String>,
    clone_command: String,
    begin_commands: String,
    push_commands: String,
    first_configuration: &'static str,
    badges: Vec<BadgeLinks>,
    pipelines: Vec<PipelineItem>,
    may_push: bool,
    may_lint: bool,
    history_url: String,
}

/// A badge and the text that shows it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BadgeLinks {
    alt: &'static str,
    image: String,
    link: String,
    markdown: String,
}

/// The page.
pub(super) async fn overview(visit: &Visit, project: &ProjectRow) -> Result<Response, ApiError> {
    let mut shell = visit.shell(Place::Overview, &project.name);
    shell.title.clone_from(&project.full_path);
    let sees = visit.allows(Action::ReadPipelines);
    let rows = match sees {
        true => {
            let filter = PipelineFilter::default();
            let store = visit.app.store();
            let found = store.pipelines_of_project(project.id, &filter, Page::first(LATEST));
            found.await?.rows
        }
        false => Vec::new(),
    };
    if sees {
        events::follow(
            &mut shell,
            &visit.url,
            rows.iter().any(|row| !row.status.is_stopped()),
        );
    }
    let external = visit.app.settings().external_url.as_str();
    let address = format!("{external}/{}", path(&project.full_path));
    let clone = format!("{address}.git");
    page(&ProjectPage {
        badges: badges(&visit.url, &address, project.default_branch.as_deref()),
        pipelines: items(visit, rows).await?,
        name: project.name.clone(),
        visibility: project.visibility.as_str(),
        description: project.description.clone(),
        default_branch: project.default_branch.clone(),
        clone_command: format!("git clone {clone}"),
        begin_commands: begin(&clone),
        push_commands: format!("git remote add origin {clone}\ngit push -u origin HEAD"),
        first_configuration: FIRST_CONFIGURATION,
        may_push: visit.allows(Action::Push),
        may_lint: visit.allows(Action::Lint),
        history_url: format!(
            "{}/-/graphs/{}/charts",
            visit.url,
            segment(project.default_branch.as_deref().unwrap_or_default())
        ),
        url: visit.url.clone(),
        shell,
    })
}

fn begin(clone: &str) -> String {
    format!(
        "git init -b main\ngit add .\ngit commit -m \"First commit\"\n\
         git remote add origin {clone}\ngit push -u origin main"
    )
}

/// The badges of the default branch: here by `url`, elsewhere by the whole `address`.
fn badges(url: &str, address: &str, branch: Option<&str>) -> Vec<BadgeLinks> {
    let Some(branch) = branch else {
        return Vec::new();
    };
    let badge = |alt: &'static str, name: &str| {
        let below = format!("badges/{}/{name}.svg", path(branch));
        let pipelines = format!("-/pipelines?ref={}", super::html::segment(branch));
        BadgeLinks {
            alt,
            image: format!("{url}/{below}"),
            link: format!("{url}/{pipelines}"),
            markdown: format!("[![{alt}]({address}/{below})]({address}/{pipelines})"),
        }
    };
    vec![
        badge("pipeline status", "pipeline"),
        badge("coverage report", "coverage"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_can_be_copied() {
        let found = badges("/g/p", "https://ci.example.com/g/p", Some("a/b c"));
        assert_eq!(found[0].image, "/g/p/badges/a/b%20c/pipeline.svg");
        assert_eq!(
            found[1].markdown,
            "[![coverage report](https://ci.example.com/g/p/badges/a/b%20c/coverage.svg)]\
             (https://ci.example.com/g/p/-/pipelines?ref=a%2Fb%20c)"
        );
        assert!(badges("/g/p", "x", None).is_empty());
    }
}
