//! Where `include` finds what is not of the pipeline's commit: other projects of this server,
//! templates, other hosts.

use std::collections::HashMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use shipway_config::{Limits, OtherProjectError, ProjectRequest, Reader, RemoteError, SourceError};
use shipway_git::hosting::BareRepository;
use shipway_store::{ProjectRow, Store, UserId, Visibility};

use crate::downstream::{REPORTER, visible_project};
use crate::error::Error;
use crate::hosting::Hosting;

/// How long reading all files of a configuration may take, as on GitLab.
const TIME: Duration = Duration::from_secs(30);
/// How many files of other hosts are kept for those who allow an old answer.
const KEPT: usize = 200;

/// Gets the text at an address: at most so many bytes, in at most this time.
pub type Fetch = fn(&str, usize, Duration) -> Result<String, RemoteError>;

/// What a server offers to `include` besides its projects.
#[derive(Clone, Default)]
pub struct Offers {
    /// The directory of what `include:template` names.
    pub templates: Option<PathBuf>,
    /// For `include:remote`.
    pub fetch: Option<Fetch>,
    kept: Arc<Mutex<HashMap<String, (Instant, String)>>>,
}

impl fmt::Debug for Offers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Offers")
            .field("templates", &self.templates)
            .field("fetch", &self.fetch.is_some())
            .finish_non_exhaustive()
    }
}

impl Offers {
    /// With these templates, and with this way to other hosts.
    pub fn new(templates: Option<PathBuf>, fetch: Option<Fetch>) -> Self {
        Self {
            templates,
            fetch,
            ..Self::default()
        }
    }

    /// An answer of another host that is not older than `max_age`, or a new one.
    fn remote(
        &self,
        url: &str,
        max_age: Option<Duration>,
        left: Duration,
    ) -> Result<String, RemoteError> {
        let fetch = self
            .fetch
            .ok_or_else(|| RemoteError::new("this server has no way to other hosts"))?;
        if let Some(max_age) = max_age {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, text)) = kept.get(url)
                && at.elapsed() < max_age
            {
                return Ok(text.clone());
            }
        }
        let text = fetch(url, Limits::default().yaml_bytes, left)?;
        if max_age.is_some() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT && !kept.contains_key(url) {
                let oldest = kept.iter().min_by_key(|(_, (at, _))| *at);
                let oldest = oldest.map(|(url, _)| url.clone());
                oldest.map(|oldest| kept.remove(&oldest));
            }
            kept.insert(url.to_owned(), (Instant::now(), text.clone()));
        }
        Ok(text)
    }

    fn template(&self, name: &str) -> Result<String, SourceError> {
        let Some(directory) = &self.templates else {
            return Err(SourceError::Refused {
                reason: "GitLab's templates are not part of shipway".to_owned(),
                hint: "the server's administrator can put templates into a directory and name it: \
                       `shipway serve --templates DIR`"
                    .to_owned(),
            });
        };
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if !Path::new(name).components().all(inside) {
            return Err(SourceError::NotFound);
        }
        let limit = Limits::default().yaml_bytes;
        let path = directory.join(name);
        let length = std::fs::metadata(&path).map_or(0, |data| data.len());
        if length > limit as u64 {
            return Err(SourceError::TooLarge { limit });
        }
        match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| SourceError::NotText),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(SourceError::NotFound)
            }
            Err(error) => Err(SourceError::Unreadable(error.to_string())),
        }
    }
}

/// All of it, with the rights of one user, for one configuration.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    store: Store,
    hosting: Hosting,
    user: Option<UserId>,
    started: OnceLock<Instant>,
}

impl Elsewhere {
    /// For the user of a pipeline; none is anybody.
    pub(crate) fn new(store: &Store, hosting: &Hosting, user: Option<UserId>) -> Self {
        Self {
            store: store.clone(),
            hosting: hosting.clone(),
            user,
            started: OnceLock::new(),
        }
    }

    /// Another project's repository. Who may not read the code is told that there is none, as
    /// on GitLab: a private project is for those who are at least Reporter there, an internal
    /// one for who is signed in (language inventory, 7.1).
    pub(crate) async fn project(
        &self,
        request: &ProjectRequest<'_>,
    ) -> Result<(BareRepository, ProjectRow), OtherProjectError> {
        let own = &self.hosting.address;
        let with_port = format!("{}:{}", own.host, own.port);
        if request
            .host
            .is_some_and(|host| host != own.host && host != with_port)
        {
            return Err(OtherProjectError::Host);
        }
        let user = self.user.filter(|_| request.reader == Reader::User);
        let fault = |error: Error| SourceError::Unreadable(error.to_string());
        let found = visible_project(&self.store, user, request.path).await;
        let Some((project, _, level)) = found.map_err(fault)? else {
            return Err(OtherProjectError::Project);
        };
        if project.visibility == Visibility::Private && level < REPORTER {
            return Err(OtherProjectError::Project);
        }
        let repository = self.hosting.repository(&project).await.map_err(fault)?;
        Ok((repository, project))
    }

    pub(crate) fn remote(
        &self,
        url: &str,
        max_age: Option<Duration>,
    ) -> Result<String, RemoteError> {
        let left = TIME.saturating_sub(self.started().elapsed());
        self.hosting.offers.remote(url, max_age, left)
    }

    pub(crate) fn template(&self, name: &str) -> Result<String, SourceError> {
        self.hosting.offers.template(name)
    }

    /// The clock starts with the first file that is asked for.
    pub(crate) fn out_of_time(&self) -> Option<Duration> {
        (self.started().elapsed() > TIME).then_some(TIME)
    }

    fn started(&self) -> &Instant {
        self.started.get_or_init(Instant::now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_other_hosts_are_kept_for_those_who_allow_it() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static ASKED: AtomicU32 = AtomicU32::new(0);
        fn count(url: &str, _: usize, _: Duration) -> Result<String, RemoteError> {
            let times = ASKED.fetch_add(1, Ordering::SeqCst);
            Ok(format!("{url} {times}"))
        }
        let offers = Offers::new(None, Some(count));
        let hour = Some(Duration::from_secs(3600));
        let get = |url: &str, max_age| offers.remote(url, max_age, TIME).unwrap();
        assert_eq!(get("a", None), "a 0");
        assert_eq!(get("a", hour), "a 1");
        assert_eq!(get("a", hour), "a 1");
        assert_eq!(get("a", Some(Duration::ZERO)), "a 2");
        assert_eq!(get("a", hour), "a 2");
        assert_eq!(get("a", None), "a 3");
        assert_eq!(get("b", hour), "b 4");
        for number in 0..KEPT {
            get(&format!("{number}"), hour);
        }
        assert!(offers.kept.lock().unwrap().len() <= KEPT);
        assert!(get("a", hour) != "a 2", "the oldest went first");
    }

    #[test]
    fn templates_are_below_their_directory() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("Jobs")).unwrap();
        std::fs::write(directory.path().join("Jobs/Build.gitlab-ci.yml"), "a").unwrap();
        std::fs::write(directory.path().join("Latin.gitlab-ci.yml"), b"\xff").unwrap();
        let offers = Offers::new(Some(directory.path().join("Jobs")), None);
        let get = |name: &str| offers.template(name);
        assert_eq!(get("Build.gitlab-ci.yml").unwrap(), "a");
        for name in [
            "../Latin.gitlab-ci.yml",
            "None.gitlab-ci.yml",
            "/etc/passwd",
        ] {
            assert_eq!(get(name), Err(SourceError::NotFound), "{name}");
        }
        let above = Offers::new(Some(directory.path().to_owned()), None);
        assert_eq!(above.template("Jobs/Build.gitlab-ci.yml").unwrap(), "a");
        assert_eq!(
            above.template("Latin.gitlab-ci.yml"),
            Err(SourceError::NotText)
        );
        let none = Offers::default()
            .template("Build.gitlab-ci.yml")
            .unwrap_err();
        assert!(none.to_string().contains("not part of shipway"));
    }
}
