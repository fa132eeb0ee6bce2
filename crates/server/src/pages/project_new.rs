//! The form for a new project.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use shipway_store::{NamespaceRow, UserRow, Visibility};

use super::fields::Fields;
use super::html::path;
use super::settings::VISIBILITIES;
use super::shell::{Shell, project_url};
use super::visit::frame;
use super::{page, refused};
use crate::app::App;
use crate::error::ApiError;
use crate::identity::{Identity, pairs};
use crate::projects::{self, NewPath};

#[derive(Debug, Template)]
#[template(path = "project_new.html")]
struct NewProjectPage {
    shell: Shell,
    namespaces: Vec<String>,
    chosen: String,
    path: String,
    description: String,
    visibility: String,
    visibilities: [(&'static str, &'static str); 3],
    push_command: String,
}

/// `GET /projects/new`; `?namespace=` chooses a namespace.
pub(super) async fn form(
    State(app): State<App>,
    identity: Identity,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let chosen = pairs(&query).find(|(name, _)| name == "namespace");
    let fields = Fields::parse("");
    let chosen = chosen.map_or_else(String::new, |(_, value)| value);
    page(&new_page(&app, &identity, &fields, &chosen, None).await?)
}

async fn new_page(
    app: &App,
    identity: &Identity,
    fields: &Fields,
    chosen: &str,
    fault: Option<String>,
) -> Result<NewProjectPage, ApiError> {
    let user = identity.signed_in()?;
    let mut shell = frame(app, identity, "New project");
    shell.fault = fault;
    let namespaces = namespaces(app, user).await?;
    let external = app.settings().external_url.as_str();
    Ok(NewProjectPage {
        shell,
        chosen: match chosen {
            "" => user.username.clone(),
            chosen => chosen.to_owned(),
        },
        namespaces: (namespaces.into_iter())
            .map(|namespace| namespace.full_path)
            .collect(),
        path: fields.trimmed("path").to_owned(),
        description: fields.trimmed("project[description]").to_owned(),
        visibility: match fields.get("visibility") {
            "" => Visibility::Private.as_str().to_owned(),
            chosen => chosen.to_owned(),
        },
        visibilities: VISIBILITIES,
        push_command: format!(
            "git push {external}/{}/NAME.git HEAD:main",
            path(&user.username)
        ),
    })
}

/// Where the user may make projects.
async fn namespaces(app: &App, user: &UserRow) -> Result<Vec<NamespaceRow>, ApiError> {
    let mut found = Vec::new();
    for namespace in app.store().namespaces().await? {
        if projects::may_create(app, user, &namespace).await? {
            found.push(namespace);
        }
    }
    Ok(found)
}

/// `POST /projects`.
pub(super) async fn create(
    State(app): State<App>,
    identity: Identity,
    fields: Fields,
) -> Result<Response, ApiError> {
    let user = identity.signed_in()?;
    let wanted = fields.trimmed("namespace");
    let found = app.store().namespace_by_path(wanted).await?;
    let namespace = match found {
        Some(namespace) if projects::may_create(&app, user, &namespace).await? => namespace,
        _ => {
            let fault = "Choose a namespace where you may make projects.".to_owned();
            return refused(&new_page(&app, &identity, &fields, wanted, Some(fault)).await?);
        }
    };
    let new = NewPath {
        path: fields.trimmed("path").to_owned(),
        name: String::new(),
        description: fields.trimmed("project[description]").to_owned(),
        visibility: fields
            .get("visibility")
            .parse()
            .unwrap_or(Visibility::Private),
    };
    match projects::create(&app, &namespace, &new).await {
        Ok(project) => {
            let url = project_url(app.settings().external_url.path(), &project.full_path);
            Ok(Redirect::to(&format!("{url}?done=project")).into_response())
        }
        Err(error) if error.status().is_client_error() => {
            let fault = match new.path.is_empty() {
                true => "A project needs a name.".to_owned(),
                false => format!("{} cannot be the name: its {}.", new.path, error.text()),
            };
            refused(&new_page(&app, &identity, &fields, wanted, Some(fault)).await?)
        }
        Err(error) => Err(error),
    }
}
