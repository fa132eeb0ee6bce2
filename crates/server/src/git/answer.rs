//! A request of a git client and its answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use percent_encoding::percent_decode_str;
use shipway_git::hosting::{
    BareRepository, Encoding, Endpoint, FullPath, Limits, Output, ReceiveError, Service, advertise,
    receive_pack, upload_pack,
};
use shipway_store::ProjectRow;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::create_project::create_by_push;
use super::rules::Rules;
use crate::access::ProjectRef;
use crate::app::App;
use crate::error::{ApiError, chain};
use crate::identity::{Identity, Scope, basic_identity};
use crate::permission::Action;

const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// What a git client asks at this address, if it is one of git's.
pub(crate) fn endpoint(uri: &Uri) -> Option<Endpoint> {
    let path = percent_decode_str(uri.path()).decode_utf8().ok()?;
    // A slash that was encoded is none between names.
    let honest = path.matches('/').count() == uri.path().matches('/').count();
    Endpoint::parse(&path, uri.query()).filter(|_| honest)
}

/// The answer to a git client; refusals are text, which git shows.
pub(crate) async fn answer(app: App, endpoint: Endpoint, request: Request) -> Response {
    match serve(&app, endpoint, request).await {
        Ok(response) => response,
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &ApiError) -> Response {
    let mut response = (error.status(), format!("{}\n", error.text())).into_response();
    let headers = response.headers_mut();
    if error.status() == StatusCode::UNAUTHORIZED {
        // The words that credential helpers know.
        let realm = HeaderValue::from_static("Basic realm=\"GitLab\"");
        headers.insert(WWW_AUTHENTICATE, realm);
    }
    if let Some(seconds) = error.retry_after() {
        headers.insert(axum::http::header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn serve(app: &App, endpoint: Endpoint, request: Request) -> Result<Response, ApiError> {
    let (path, service, expected) = match &endpoint {
        Endpoint::InfoRefs(path, service) => (path, *service, Method::GET),
        Endpoint::Rpc(path, service) => (path, *service, Method::POST),
    };
    if *request.method() != expected {
        let text = "405 Not Allowed";
        return Err(ApiError::error(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = client.map(|ConnectInfo(address)| address.ip());
    let address = address.unwrap_or_else(|| app.settings().listen.ip());
    let identity = basic_identity(app, request.headers(), address).await?;
    let project = match service {
        Service::UploadPack => to_read(app, &identity, path).await?,
        Service::ReceivePack => to_write(app, &identity, path).await?,
    };
    let number = u64::try_from(project.id.0).unwrap_or_default();
    let repository = app.repositories().get(number).await?;
    let protocol = header(request.headers(), &GIT_PROTOCOL);
    let limits = Limits::default();
    if let Endpoint::InfoRefs(..) = endpoint {
        let output = advertise(&repository, service, protocol.as_deref(), &limits).await;
        let output = output.map_err(|error| ApiError::internal(&error))?;
        return Ok(streamed(service.advertisement_type(), output));
    }
    let call = Call::read(request, service, protocol)?;
    let output = match service {
        Service::UploadPack => call.fetch(&repository, &limits).await?,
        Service::ReceivePack => {
            let rules = Rules::load(app, &identity, project).await?;
            call.push(&repository, &limits, rules).await?
        }
    };
    Ok(streamed(service.result_type(), output))
}

/// The project, if its code may be read.
async fn to_read(app: &App, identity: &Identity, path: &FullPath) -> Result<ProjectRow, ApiError> {
    identity.require_scope(&[Scope::ReadRepository, Scope::WriteRepository, Scope::Api])?;
    let wanted = ProjectRef::Path(path.as_str().to_owned());
    let project = app.project(identity, &wanted, Action::ReadCode).await;
    project.map_err(|error| ask(identity, error))
}

/// The project, if it may be pushed to; made now where there is none and the user may.
async fn to_write(app: &App, identity: &Identity, path: &FullPath) -> Result<ProjectRow, ApiError> {
    if identity.job().is_some() {
        let text = "You are not allowed to push code to this project with a job token.";
        return Err(ApiError::forbidden_because(text));
    }
    let user = identity.signed_in()?;
    identity.require_scope(&[Scope::WriteRepository, Scope::Api])?;
    if app.store().project_by_path(path.as_str()).await?.is_none() {
        return create_by_push(app, user, path).await;
    }
    let wanted = ProjectRef::Path(path.as_str().to_owned());
    app.project(identity, &wanted, Action::Push).await
}

/// Git asks for a password when told 401 only; so nobody is told that there is nothing.
fn ask(identity: &Identity, error: ApiError) -> ApiError {
    match identity.is_anonymous() {
        true => ApiError::unauthorized(),
        false => error,
    }
}

/// The body of a request and how it is to be read.
struct Call {
    body: Box<dyn AsyncRead + Send + Unpin>,
    encoding: Encoding,
    protocol: Option<String>,
}

impl Call {
    fn read(
        request: Request,
        service: Service,
        protocol: Option<String>,
    ) -> Result<Self, ApiError> {
        let unsupported = |text: &str| ApiError::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        let kind = header(request.headers(), &CONTENT_TYPE).unwrap_or_default();
        if kind != service.request_type() {
            let text = format!("the content type must be {}", service.request_type());
            return Err(unsupported(&text));
        }
        let encoding = header(request.headers(), &CONTENT_ENCODING);
        let encoding = Encoding::parse(encoding.as_deref())
            .ok_or_else(|| unsupported("a request may be packed by gzip only"))?;
        let body = request.into_body().into_data_stream();
        let body = StreamReader::new(Box::pin(body.map_err(io::Error::other)));
        Ok(Self {
            body: Box::new(body),
            encoding,
            protocol,
        })
    }

    async fn fetch(self, repository: &BareRepository, limits: &Limits) -> Result<Output, ApiError> {
        let protocol = self.protocol.as_deref();
        let output = upload_pack(repository, self.body, self.encoding, protocol, limits).await;
        output.map_err(|error| ApiError::internal(&error))
    }

    async fn push(
        self,
        repository: &BareRepository,
        limits: &Limits,
        rules: Rules,
    ) -> Result<Output, ApiError> {
        let protocol = self.protocol.as_deref();
        let rules = Arc::new(rules);
        let output = receive_pack(
            repository,
            self.body,
            self.encoding,
            protocol,
            limits,
            rules,
        );
        output.await.map_err(|error| match error {
            ReceiveError::Request(_) | ReceiveError::Input(_) => {
                ApiError::error(StatusCode::BAD_REQUEST, chain(&error))
            }
            error => ApiError::internal(&error),
        })
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn streamed(kind: &'static str, output: Output) -> Response {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(output)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_addresses_are_not_gits() {
        for (address, is_gits) in [
            ("/g/p.git/info/refs?service=git-upload-pack", true),
            ("/g/p/info/refs?service=git-receive-pack", true),
            ("/g%2ex/p.git/git-upload-pack", true),
            ("/g%2Fp.git/git-upload-pack", false),
            ("/g/../p.git/git-upload-pack", false),
            ("/g/%2e%2e/p.git/git-upload-pack", false),
            ("/g/p.git/%67it-upload-pack", true),
            ("/g/p%00.git/git-upload-pack", false),
            ("/g/p%ff.git/git-upload-pack", false),
            ("/g/-/p.git/git-upload-pack", false),
            ("/g/p.git/objects/info/packs", false),
            ("/g/p", false),
        ] {
            let uri: Uri = address.parse().unwrap();
            assert_eq!(endpoint(&uri).is_some(), is_gits, "{address}");
        }
    }
}
