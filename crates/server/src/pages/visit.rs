//! A request for a page below a path: who asks, of what, and what they may do there. Pages of
//! runners, variables and members are the same for a project, a group and the instance.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use shipway_store::{
    ArtifactRow, Level, MemberSource, NamespaceId, NamespaceRow, ProjectRow, UserId,
};

use super::html::path;
use super::shell::{Entry, Link, Place, Shell, Who, crumbs, project_menu, project_url};
use crate::access::{ForArtifact, for_artifact, visibility_for};
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Identity, pairs};
use crate::permission::{self, Action, Role, Viewer, Visibility};
use crate::project_address::ProjectPath;

/// What stands before a group's path in its addresses, as GitLab has it.
const GROUPS: &str = "groups/";

/// What a page is about.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// The instance; for administrators.
    Instance,
    /// A group, or the namespace of a user.
    Group(NamespaceRow),
    /// A project.
    Project(Box<ProjectRow>),
}

/// A request for a page.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) app: App,
    pub(super) identity: Identity,
    pub(super) subject: Subject,
    /// Who asks, as the table of permissions sees it.
    viewer: Viewer,
    /// The path of the external URL.
    pub(super) root: String,
    /// The address of the subject, without a slash at its end.
    pub(super) url: String,
    /// Microseconds since 1970.
    pub(super) now: i64,
    query: Vec<(String, String)>,
}

/// As [`Visit`], of a project alone.
#[derive(Debug, Clone)]
pub(super) struct ProjectVisit {
    visit: Visit,
    pub(super) project: ProjectRow,
}

impl std::ops::Deref for ProjectVisit {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl FromRequestParts<App> for ProjectVisit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let visit = Visit::from_request_parts(parts, app).await?;
        match &visit.subject {
            Subject::Project(project) => Ok(Self {
                project: (**project).clone(),
                visit,
            }),
            Subject::Instance | Subject::Group(_) => Err(ApiError::no_route()),
        }
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = Identity::from_request_parts(parts, app).await?;
        let query = pairs(parts.uri.query().unwrap_or_default()).collect();
        let root = app.settings().external_url.path().to_owned();
        let Ok(ProjectPath(full_path)) = ProjectPath::from_request_parts(parts, app).await else {
            identity.administrator()?;
            return Ok(Self {
                app: app.clone(),
                viewer: Viewer::User {
                    role: None,
                    admin: true,
                },
                url: format!("{root}/admin"),
                subject: Subject::Instance,
                identity,
                root,
                now: now(),
                query,
            });
        };
        let explicit_group = full_path.strip_prefix(GROUPS);
        if explicit_group.is_none()
            && let Some(project) = app.store().project_by_path(&full_path).await?
        {
            app.require(&identity, &project, Action::ReadProject)
                .await?;
            return Ok(Self {
                viewer: app.viewer(&identity, &project).await?,
                url: project_url(&root, &project.full_path),
                subject: Subject::Project(Box::new(project)),
                app: app.clone(),
                identity,
                root,
                now: now(),
                query,
            });
        }
        let group = explicit_group.unwrap_or(&full_path);
        let group = app.store().namespace_by_path(group).await?;
        let Some(group) = group else {
            return Err(hidden(&identity));
        };
        Ok(Self {
            viewer: group_viewer(app, &identity, &group).await?,
            url: format!("{root}/groups/{}", path(&group.full_path)),
            subject: Subject::Group(group),
            app: app.clone(),
            identity,
            root,
            now: now(),
            query,
        })
    }
}

fn hidden(identity: &Identity) -> ApiError {
    let error = ApiError::not_found("Page");
    match identity.is_anonymous() {
        true => error.or_sign_in(),
        false => error,
    }
}

/// The role in a group is the highest there and in the groups above; the namespace of a user is
/// its own.
async fn group_viewer(
    app: &App,
    identity: &Identity,
    group: &NamespaceRow,
) -> Result<Viewer, ApiError> {
    let Some(user) = identity.user() else {
        return Ok(Viewer::Anonymous);
    };
    let above = app.store().namespace_with_ancestors(group.id).await?;
    let memberships = app.store().memberships(user.id).await?;
    let owned = above
        .iter()
        .any(|namespace| namespace.owner_id == Some(user.id));
    let role = (memberships.iter())
        .filter(|member| member.source == MemberSource::Namespace)
        .filter(|member| {
            above
                .iter()
                .any(|namespace| namespace.id.0 == member.source_id)
        })
        .filter_map(|member| Role::from_level(member.access_level))
        .chain(owned.then_some(Role::Owner))
        .max();
    Ok(Viewer::User {
        role,
        admin: user.admin,
    })
}

/// What just happened, by the word in the address that a change leads to.
const DONE: [(&str, &str); 36] = [
    ("project", "The project is made."),
    ("project-deleted", "The project is deleted."),
    ("settings", "The settings are saved."),
    (
        "caches",
        "The caches of runners are cleared: the next jobs begin without.",
    ),
    ("protected", "The branches and tags are protected."),
    ("unprotected", "The protection is gone."),
    ("pipeline-deleted", "The pipeline is deleted."),
    ("canceled", "It is being cancelled."),
    ("retried", "What failed or was cancelled runs again."),
    (
        "stopping",
        "The environment is stopped, or its stop job runs.",
    ),
    ("merged", "It is merged."),
    (
        "merge-conflict",
        "It cannot be merged: both branches changed the same lines. Merge the target into the branch and push it.",
    ),
    (
        "merge-not-linear",
        "It cannot be merged: the branch does not go on from its target. Rebase it and push it.",
    ),
    (
        "merge-moved",
        "The target branch moved meanwhile. Try again.",
    ),
    ("merge-request", "The merge request is saved."),
    ("erased", "The log and the artifacts are erased."),
    (
        "kept",
        "The artifacts are kept until somebody deletes them.",
    ),
    ("variable", "The variable is saved."),
    ("variable-deleted", "The variable is deleted."),
    ("runner", "The runner is saved."),
    (
        "runner-paused",
        "The runner is paused; jobs that it works on go on.",
    ),
    ("runner-resumed", "The runner takes jobs again."),
    ("runner-removed", "The runner is removed."),
    (
        "registration",
        "There is a new registration token; the old one is worthless.",
    ),
    ("schedule", "The schedule is saved."),
    ("schedule-deleted", "The schedule is deleted."),
    ("trigger-revoked", "The token is worthless now."),
    ("member", "The member is saved."),
    ("member-removed", "The member is removed."),
    ("user", "The user is made."),
    ("user-blocked", "The user is blocked and signed out."),
    ("user-unblocked", "The user may sign in again."),
    ("password", "The password is set."),
    ("token-revoked", "The token is worthless now."),
    (
        "no-pipeline",
        "The rules left every job out: there is no pipeline.",
    ),
    ("nothing", "Nothing changed."),
];

/// The sentence of such a word.
pub(super) fn done(word: &str) -> Option<String> {
    let found = DONE.iter().find(|(known, _)| *known == word);
    found.map(|(_, sentence)| (*sentence).to_owned())
}

impl Visit {
    /// A value of the address's query; empty when there is none.
    pub(super) fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Who asks, where somebody is signed in.
    pub(super) fn user_id(&self) -> Option<UserId> {
        self.identity.user().map(|user| user.id)
    }

    /// Values of the address's query that are named `NAME[KEY]`, by their keys.
    pub(super) fn queried(&self, name: &str) -> Vec<(String, String)> {
        let key = |given: &str| {
            let key = given.strip_prefix(name)?.strip_prefix('[')?;
            Some(key.strip_suffix(']')?.to_owned())
        };
        (self.query.iter())
            .filter_map(|(given, value)| Some((key(given)?, value.clone())))
            .collect()
    }

    /// Whether they may do this here.
    pub(super) fn allows(&self, action: Action) -> bool {
        let visibility = match &self.subject {
            Subject::Project(project) => visibility_for(project, action),
            Subject::Instance | Subject::Group(_) => Visibility::Private,
        };
        permission::allowed(self.viewer, visibility, action)
    }

    /// Whether they, who may read the job, may read this artifact of it.
    pub(super) fn may_read(&self, artifact: &ArtifactRow) -> bool {
        match for_artifact(artifact.accessibility) {
            ForArtifact::Nothing => true,
            ForArtifact::Right(action) => self.allows(action),
            ForArtifact::Never => false,
        }
    }

    /// That they may do this here.
    pub(super) fn require(&self, action: Action) -> Result<(), ApiError> {
        if self.allows(action) {
            return Ok(());
        }
        // Groups are seen by their members; what they have in common is nobody else's.
        let unseen = !self.allows(Action::ReadProject);
        Err(match (unseen, self.identity.is_anonymous()) {
            (true, _) => hidden(&self.identity),
            (false, true) => ApiError::unauthorized(),
            (false, false) => ApiError::forbidden(),
        })
    }

    /// The level at which variables and runners are defined here, and its number.
    pub(super) fn level(&self) -> (Level, i64) {
        match &self.subject {
            Subject::Instance => (Level::Instance, 0),
            Subject::Group(group) => (Level::Group, group.id.0),
            Subject::Project(project) => (Level::Project, project.id.0),
        }
    }

    /// The namespace that the subject is, or is in.
    pub(super) fn namespace(&self) -> Option<NamespaceId> {
        match &self.subject {
            Subject::Instance => None,
            Subject::Group(group) => Some(group.id),
            Subject::Project(project) => Some(project.namespace_id),
        }
    }

    /// The address of pages that all levels have: below `/admin` they have no dash.
    pub(super) fn section(&self, name: &str) -> String {
        match self.subject {
            Subject::Instance => format!("{}/{name}", self.url),
            Subject::Group(_) | Subject::Project(_) => format!("{}/-/{name}", self.url),
        }
    }

    /// What stands around a page.
    pub(super) fn shell(&self, place: Place, title: &str) -> Shell {
        let mut shell = frame(&self.app, &self.identity, title);
        shell.done = done(self.query("done"));
        match &self.subject {
            Subject::Instance => shell.menu = admin_menu(&self.root, place),
            Subject::Group(group) => {
                shell.crumbs = crumbs(&self.root, &group.full_path);
                shell.menu = self.group_menu(place);
                shell.title = format!("{title} · {}", group.full_path);
            }
            Subject::Project(project) => {
                shell.crumbs = crumbs(&self.root, &project.full_path);
                shell.menu = project_menu(&self.url, place, |place| self.allows(needed(place)));
                shell.title = format!("{title} · {}", project.full_path);
            }
        }
        shell
    }

    fn group_menu(&self, current: Place) -> Vec<Entry> {
        let entry = |place, text, icon, below: &str| Entry {
            text,
            icon,
            url: format!("{}{below}", self.url),
            current: place == current,
        };
        let mut menu = vec![entry(Place::Overview, "Projects", "group", "")];
        if self.allows(Action::ManageRunners) {
            menu.push(entry(Place::Runners, "Runners", "runner", "/-/runners"));
            menu.push(entry(
                Place::Variables,
                "Variables",
                "variable",
                "/-/variables",
            ));
        }
        if self.allows(Action::ReadProject) {
            menu.push(entry(
                Place::Members,
                "Members",
                "member",
                "/-/group_members",
            ));
        }
        menu
    }

    /// To a page here, after a change.
    pub(super) fn to(&self, below: &str, done: &str) -> Response {
        let mark = if below.contains('?') { '&' } else { '?' };
        Redirect::to(&format!("{}{below}{mark}done={done}", self.url)).into_response()
    }
}

/// What it takes to see a place of a project in the menu.
fn needed(place: Place) -> Action {
    match place {
        Place::Overview | Place::Releases => Action::ReadProject,
        Place::MergeRequests => Action::ReadCode,
        Place::Pipelines | Place::Jobs | Place::Schedules => Action::ReadPipelines,
        Place::Environments => Action::ReadEnvironments,
        Place::Lint => Action::Lint,
        Place::Runners => Action::ManageRunners,
        Place::Variables => Action::ManageVariables,
        Place::Triggers => Action::ManageTriggers,
        Place::Members => Action::ReadCode,
        Place::Settings => Action::ManageSettings,
    }
}

/// The menu of administrators.
pub(super) fn admin_menu(root: &str, current: Place) -> Vec<Entry> {
    let entry = |place, text, icon, below: &str| Entry {
        text,
        icon,
        url: format!("{root}/admin/{below}"),
        current: place == current,
    };
    vec![
        entry(Place::Runners, "Runners", "runner", "runners"),
        entry(Place::Variables, "Variables", "variable", "variables"),
        entry(Place::Members, "Users", "member", "users"),
    ]
}

/// What stands around a page of nothing in particular.
pub(super) fn frame(app: &App, identity: &Identity, title: &str) -> Shell {
    let who = identity.user().map(|user| Who {
        username: user.username.clone(),
        admin: user.admin,
        csrf: identity.csrf_token().unwrap_or_default().to_owned(),
    });
    Shell {
        title: title.to_owned(),
        root: app.settings().external_url.path().to_owned(),
        who,
        ..Shell::default()
    }
}

/// One more crumb.
pub(super) fn crumb(text: impl Into<String>, url: impl Into<String>) -> Link {
    Link {
        text: text.into(),
        url: url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sentences_of_ours_are_shown() {
        assert!(done("variable").is_some());
        assert_eq!(done("<b>hello</b>"), None);
        assert_eq!(done(""), None);
    }
}
