//! What stands around every page: head, header, the menu of a place, crumbs, a message.

use super::assets;
use super::html::{Html, path};
use super::icon::icon;

/// Who looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Who {
    /// The name that signs in.
    pub(super) username: String,
    /// May do everything.
    pub(super) admin: bool,
    /// What forms must send along.
    pub(super) csrf: String,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Its text.
    pub(super) text: String,
    /// Where it leads.
    pub(super) url: String,
}

/// A link of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its text.
    pub(super) text: &'static str,
    /// Its picture.
    pub(super) icon: &'static str,
    /// Where it leads.
    pub(super) url: String,
    /// It is the page one looks at.
    pub(super) current: bool,
}

/// What stands around a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shell {
    /// The page's title, for the browser's window.
    pub(super) title: String,
    /// The path of the server's external URL; empty at the top of its host.
    pub(super) root: String,
    /// Who looks, if somebody is signed in.
    pub(super) who: Option<Who>,
    /// What the page is below of, outermost first.
    pub(super) crumbs: Vec<Link>,
    /// The menu of the project, group or of the administrators.
    pub(super) menu: Vec<Entry>,
    /// What just happened.
    pub(super) done: Option<String>,
    /// What went wrong, and what to do.
    pub(super) fault: Option<String>,
    /// Seconds after which a browser without scripts asks again; none for a page that stays.
    pub(super) refresh: Option<u32>,
    /// The address of the events that say when the page is out of date.
    pub(super) events: Option<String>,
}

impl Shell {
    /// The picture of this name.
    pub(super) fn icon(&self, name: &str) -> Html {
        icon(name)
    }

    /// The hidden field that proves a form to be ours.
    pub(super) fn csrf(&self) -> Html {
        let token = self.who.as_ref().map_or("", |who| who.csrf.as_str());
        Html::trusted(format!(
            "<input type=\"hidden\" name=\"{CSRF_FIELD}\" value=\"{}\">",
            super::html::escape(token)
        ))
    }

    /// The version of this program.
    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The address of a file of ours.
    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}{}", self.root, assets::address(name))
    }
}

/// The name of the hidden field that proves a form to be ours; GitLab's.
pub(super) const CSRF_FIELD: &str = "authenticity_token";

/// The places of a project; the order is the menu's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The project's own page.
    Overview,
    /// `/-/merge_requests`.
    MergeRequests,
    /// `/-/pipelines`.
    Pipelines,
    /// `/-/jobs`.
    Jobs,
    /// `/-/environments`.
    Environments,
    /// `/-/releases`.
    Releases,
    /// `/-/pipeline_schedules`.
    Schedules,
    /// `/-/ci/lint`.
    Lint,
    /// `/-/runners`.
    Runners,
    /// `/-/variables`.
    Variables,
    /// `/-/triggers`.
    Triggers,
    /// `/-/project_members`.
    Members,
    /// `/-/settings/ci_cd`.
    Settings,
}

impl Place {
    /// Every place with its name, picture, path below the project, and whether only those see
    /// it who set the project up.
    pub(super) const ALL: [(Self, &'static str, &'static str, &'static str); 13] = [
        (Self::Overview, "Overview", "project", ""),
        (
            Self::MergeRequests,
            "Merge requests",
            "branch",
            "/-/merge_requests",
        ),
        (Self::Pipelines, "Pipelines", "pipeline", "/-/pipelines"),
        (Self::Jobs, "Jobs", "job", "/-/jobs"),
        (
            Self::Environments,
            "Environments",
            "environment",
            "/-/environments",
        ),
        (Self::Releases, "Releases", "tag", "/-/releases"),
        (
            Self::Schedules,
            "Schedules",
            "calendar",
            "/-/pipeline_schedules",
        ),
        (Self::Lint, "CI Lint", "lint", "/-/ci/lint"),
        (Self::Runners, "Runners", "runner", "/-/runners"),
        (Self::Variables, "Variables", "variable", "/-/variables"),
        (Self::Triggers, "Triggers", "trigger", "/-/triggers"),
        (Self::Members, "Members", "member", "/-/project_members"),
        (Self::Settings, "Settings", "settings", "/-/settings/ci_cd"),
    ];
}

/// The address of a project.
pub(super) fn project_url(root: &str, full_path: &str) -> String {
    format!("{root}/{}", path(full_path))
}

/// The menu of a project, with the places that `sees` lets through.
pub(super) fn project_menu(url: &str, current: Place, sees: impl Fn(Place) -> bool) -> Vec<Entry> {
    let places = Place::ALL.into_iter().filter(|(place, ..)| sees(*place));
    let entry = |(place, text, icon, below): (Place, &'static str, &'static str, &str)| Entry {
        text,
        icon,
        url: format!("{url}{below}"),
        current: place == current,
    };
    places.map(entry).collect()
}

/// The groups above a project and the project, each a link.
pub(super) fn crumbs(root: &str, full_path: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut at = 0;
    for name in full_path.split('/') {
        at += name.len();
        found.push(Link {
            text: name.to_owned(),
            url: project_url(root, &full_path[..at]),
        });
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crumbs_lead_to_the_groups_above() {
        let found = crumbs("/ci", "a/b c/d");
        let urls: Vec<&str> = found.iter().map(|link| link.url.as_str()).collect();
        assert_eq!(urls, ["/ci/a", "/ci/a/b%20c", "/ci/a/b%20c/d"]);
        assert_eq!(found[1].text, "b c");
    }

    #[test]
    fn a_menu_has_what_one_sees() {
        let menu = project_menu("/g/p", Place::Jobs, |place| place != Place::Settings);
        assert_eq!(menu.len(), Place::ALL.len() - 1);
        let current: Vec<&str> = (menu.iter().filter(|entry| entry.current))
            .map(|entry| entry.url.as_str())
            .collect();
        assert_eq!(current, ["/g/p/-/jobs"]);
    }
}
