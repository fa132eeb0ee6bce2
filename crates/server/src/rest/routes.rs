//! The table of routes: what is answered, and who may ask.
//!
//! A route names its rule where it is made, and the rule is checked before the handler runs
//! and before the body is read. The rule gives the handler what it found, a project for
//! instance: no handler can forget to ask.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use shipway_store::{NamespaceRow, ProjectRow};
use tower_http::timeout::TimeoutLayer;

use super::call::{Call, GroupCall, PathParams, ProjectCall};
use super::groups;
use crate::access::ProjectRef;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::{AnyScope, Identity, OrJob, Scope, basic_identity};
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

/// An action of who fetches files by programs: running jobs may too, and `Authorization: Basic`
/// proves who asks, as with git.
#[derive(Debug, Clone, Copy)]
pub(super) struct Download(pub(super) Action);

/// As [`Download`], with a body that is taken in as it comes, however long that takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upload(pub(super) Action);

/// What is uploaded to a project.
#[derive(Debug)]
pub(super) struct UploadCall {
    /// The request; its parameters are those of the query.
    pub(super) call: ProjectCall,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

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

    /// Whether the answer may take longer than others.
    const SLOW: bool = false;

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

impl Rule for Download {
    type Call = ProjectCall;

    fn access(self) -> Access {
        Access::ProjectOrJob(self.0)
    }

    async fn admit(self, app: App, request: Request) -> Result<ProjectCall, ApiError> {
        let (mut parts, body) = request.into_parts();
        let identity = program(&app, &mut parts).await?;
        let path = PathParams::read(&mut parts).await?;
        let project = project(&app, &identity, &path, self.0).await?;
        let call = Call::read(app, identity, path, Request::from_parts(parts, body)).await?;
        Ok(ProjectCall { call, project })
    }
}

impl Rule for Upload {
    type Call = UploadCall;

    const SLOW: bool = true;

    fn access(self) -> Access {
        Access::ProjectOrJob(self.0)
    }

    async fn admit(self, app: App, request: Request) -> Result<UploadCall, ApiError> {
        let (mut parts, body) = request.into_parts();
        let identity = program(&app, &mut parts).await?;
        let path = PathParams::read(&mut parts).await?;
        let project = project(&app, &identity, &path, self.0).await?;
        let headers = parts.headers.clone();
        // Of the body nobody reads parameters.
        parts.headers.remove(CONTENT_TYPE);
        let request = Request::from_parts(parts, Body::empty());
        let call = Call::read(app, identity, path, request).await?;
        let call = ProjectCall { call, project };
        Ok(UploadCall {
            call,
            headers,
            body,
        })
    }
}

/// Who asks, where programs ask that know only `Authorization: Basic`.
async fn program(app: &App, parts: &mut Parts) -> Result<Identity, ApiError> {
    let basic = parts.headers.get(AUTHORIZATION);
    let basic = basic.and_then(|value| value.as_bytes().get(..6));
    if !basic.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic ")) {
        return Ok(OrJob::from_request_parts(parts, app).await?.0);
    }
    let client = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = client.map_or(app.settings().listen, |client| client.0).ip();
    let identity = basic_identity(app, &parts.headers, address).await?;
    match parts.method.is_safe() {
        true => identity.require_scope(&[Scope::Api, Scope::ReadApi])?,
        false => identity.require_scope(&[Scope::Api])?,
    }
    Ok(identity)
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
    /// Those whose answers may take long.
    slow: Router<App>,
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
        self.add(filter, path, answer, R::SLOW);
        self.table.push(Endpoint {
            method,
            path,
            access: rule.access(),
        });
        self
    }

    /// What the router needs is compiled once here, and not once for each handler.
    fn add(&mut self, filter: MethodFilter, path: &str, answer: Answer, slow: bool) {
        let answer = move |State(app): State<App>, request: Request| answer(app, request);
        let full = format!("{PREFIX}{path}");
        let router = match slow {
            true => &mut self.slow,
            false => &mut self.router,
        };
        *router = std::mem::take(router).route(&full, on(filter, answer));
    }

    /// The router; the answers of most routes come within the time of the layer.
    pub(crate) fn into_router(self, in_time: TimeoutLayer) -> Router<App> {
        let slow = self.slow.layer(DefaultBodyLimit::disable());
        self.router.layer(in_time).merge(slow)
    }

    /// The table of what is answered.
    #[cfg(test)]
    pub(crate) fn into_table(self) -> Vec<Endpoint> {
        self.table
    }
}
