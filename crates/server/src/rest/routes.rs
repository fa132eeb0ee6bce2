//! The table of routes: what is answered, and who may ask.
//!
//! A route names its rule where it is made, and the rule is checked before the handler runs
//! and before the body is read. The rule gives the handler what it found, a project for
//! instance: no handler can forget to ask.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use shipway_store::{NamespaceRow, ProjectRow};

use super::call::{Call, GroupCall, PathParams, ProjectCall};
use super::groups;
use crate::access::ProjectRef;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::{AnyScope, Identity, OrJob, Scope};
use crate::permission::{Action, Role};

/// What all routes begin with.
pub(crate) const PREFIX: &str = "/api/v4";

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Below [`PREFIX`], with `{names}`.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever the table of permissions lets do this in the project.
    Project(Action),
    /// The same, running jobs too.
    ProjectOrJob(Action),
    /// Members of the group from this role on; without one, whoever sees it.
    Group(Option<Role>),
    /// Somebody who is signed in.
    SignedIn,
    /// An administrator.
    Administrator,
    /// Everybody; what they get is for the handler to choose.
    Everybody,
}

/// Somebody, whatever the project.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    SignedIn,
    /// With one of these scopes, where it is by a token; `api` always does.
    Scoped(&'static [Scope]),
    Administrator,
    Everybody,
    EverybodyOrJob,
}

/// An action that running jobs may do too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job(pub(super) Action);

/// Something about a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum InGroup {
    /// Seeing it is enough.
    Read,
    /// Members from this role on.
    As(Role),
}

/// Decides whether a request may be answered.
pub(super) trait Rule: Copy + Send + Sync + 'static {
    /// What the handler gets.
    type Call: Send;

    /// The rule as a row of the table says it.
    fn access(self) -> Access;

    /// The call, or the refusal.
    fn admit(
        self,
        app: App,
        request: Request,
    ) -> impl Future<Output = Result<Self::Call, ApiError>> + Send;
}

impl Rule for Who {
    type Call = Call;

    fn access(self) -> Access {
        match self {
            Self::SignedIn | Self::Scoped(_) => Access::SignedIn,
            Self::Administrator => Access::Administrator,
            Self::Everybody | Self::EverybodyOrJob => Access::Everybody,
        }
    }

    async fn admit(self, app: App, request: Request) -> Result<Call, ApiError> {
        let (mut parts, body) = request.into_parts();
        let identity = match self {
            Self::Scoped(scopes) => {
                let AnyScope(identity) = AnyScope::from_request_parts(&mut parts, &app).await?;
                identity.require_scope(scopes)?;
                identity
            }
            Self::EverybodyOrJob => OrJob::from_request_parts(&mut parts, &app).await?.0,
            _ => Identity::from_request_parts(&mut parts, &app).await?,
        };
        match self {
            Self::SignedIn | Self::Scoped(_) => {
                identity.signed_in()?;
            }
            Self::Administrator => {
                identity.administrator()?;
            }
            Self::Everybody | Self::EverybodyOrJob => {}
        }
        let path = PathParams::read(&mut parts).await?;
        Call::read(app, identity, path, Request::from_parts(parts, body)).await
    }
}

impl Rule for Action {
    type Call = ProjectCall;

    fn access(self) -> Access {
        Access::Project(self)
    }

    async fn admit(self, app: App, request: Request) -> Result<ProjectCall, ApiError> {
        let (mut parts, body) = request.into_parts();
        let identity = Identity::from_request_parts(&mut parts, &app).await?;
        let path = PathParams::read(&mut parts).await?;
        let project = project(&app, &identity, &path, self).await?;
        let call = Call::read(app, identity, path, Request::from_parts(parts, body)).await?;
        Ok(ProjectCall { call, project })
    }
}

impl Rule for Job {
    type Call = ProjectCall;

    fn access(self) -> Access {
        Access::ProjectOrJob(self.0)
    }

    async fn admit(self, app: App, request: Request) -> Result<ProjectCall, ApiError> {
        let (mut parts, body) = request.into_parts();
        let OrJob(identity) = OrJob::from_request_parts(&mut parts, &app).await?;
        let path = PathParams::read(&mut parts).await?;
        let project = project(&app, &identity, &path, self.0).await?;
        let call = Call::read(app, identity, path, Request::from_parts(parts, body)).await?;
        Ok(ProjectCall { call, project })
    }
}

impl Rule for InGroup {
    type Call = GroupCall;

    fn access(self) -> Access {
        Access::Group(match self {
            Self::Read => None,
            Self::As(role) => Some(role),
        })
    }

    async fn admit(self, app: App, request: Request) -> Result<GroupCall, ApiError> {
        let (mut parts, body) = request.into_parts();
        let identity = Identity::from_request_parts(&mut parts, &app).await?;
        let path = PathParams::read(&mut parts).await?;
        let group: NamespaceRow = groups::admit(&app, &identity, path.text("id"), self).await?;
        let call = Call::read(app, identity, path, Request::from_parts(parts, body)).await?;
        Ok(GroupCall { call, group })
    }
}

async fn project(
    app: &App,
    identity: &Identity,
    path: &PathParams,
    action: Action,
) -> Result<ProjectRow, ApiError> {
    let project = ProjectRef::parse(path.text("id"));
    app.project(identity, &project, action).await
}

/// A handler with its rule, whichever they are.
type Answer =
    Arc<dyn Fn(App, Request) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// Routes and their table, being put together.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<App>,
    table: Vec<Endpoint>,
}

/// One function for each method.
macro_rules! methods {
    ($($name:ident $method:ident;)*) => {$(
        pub(super) fn $name<R: Rule, F, A>(self, path: &'static str, rule: R, handler: F) -> Self
        where
            F: Fn(R::Call) -> A + Clone + Send + Sync + 'static,
            A: Future<Output = Result<Response, ApiError>> + Send,
        {
            self.route((Method::$method, MethodFilter::$method), path, rule, handler)
        }
    )*};
}

impl Routes {
    methods! {
        get GET;
        post POST;
        put PUT;
        delete DELETE;
    }

    fn route<R: Rule, F, A>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        rule: R,
        handler: F,
    ) -> Self
    where
        F: Fn(R::Call) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, ApiError>> + Send,
    {
        let answer: Answer = Arc::new(move |app, request| {
            let handler = handler.clone();
            Box::pin(async move {
                let answered = async { handler(rule.admit(app, request).await?).await };
                answered.await.unwrap_or_else(IntoResponse::into_response)
            })
        });
        self.add(filter, path, answer);
        self.table.push(Endpoint {
            method,
            path,
            access: rule.access(),
        });
        self
    }

    /// What the router needs is compiled once here, and not once for each handler.
    fn add(&mut self, filter: MethodFilter, path: &str, answer: Answer) {
        let answer = move |State(app): State<App>, request: Request| answer(app, request);
        let full = format!("{PREFIX}{path}");
        self.router = std::mem::take(&mut self.router).route(&full, on(filter, answer));
    }

    /// The router and the table of what it answers.
    pub(crate) fn into_parts(self) -> (Router<App>, Vec<Endpoint>) {
        (self.router, self.table)
    }
}
