//! The calls of the runner protocol, one function each.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use shipway_protocol::{
    ContentRange, DecodeError, JOB_STATUS, JOB_TOKEN, JobPayload, JobRequest, JobUpdateRequest,
    LAST_UPDATE, PRIVATE_TOKEN, RUNNER_TOKEN, RegisterRequest, RunnerCredentials, RunnerDetails,
    TRACE_UPDATE_INTERVAL, UnregisterRequest, VerifyRequest, stored_size,
};

use super::http::{ClientError, Endpoint, Http, header};
use super::token::is_created_token;

/// A coordinator cannot make a runner quieter than this.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// A coordinator, seen by one runner.
#[derive(Debug)]
pub struct Client {
    pub(super) http: Http,
    details: RunnerDetails,
    system_id: String,
    last_update: Mutex<Option<String>>,
}

/// The answer to a request for a job.
#[derive(Debug)]
pub enum Offer {
    /// A job, and it is this runner's.
    Job(Box<JobPayload>),
    /// There is none now.
    Nothing,
    /// A job whose payload cannot be used.
    Unusable(DecodeError),
}

/// What a coordinator says about a job with every answer about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The status of the answer.
    pub status: StatusCode,
    pub job: JobStatus,
    /// When it wants to hear again.
    pub interval: Option<Duration>,
    /// Bytes of the log it has; only told with a refused piece.
    pub stored: u64,
}

/// `Job-Status`, as far as it matters to a runner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum JobStatus {
    /// Go on.
    #[default]
    Wanted,
    /// Stop gracefully.
    Canceling,
    /// Stop; nothing more is accepted.
    Ended,
}

impl JobStatus {
    fn from_header(value: Option<&str>) -> Self {
        match value {
            Some("canceling") => Self::Canceling,
            Some("canceled" | "failed") => Self::Ended,
            _ => Self::Wanted,
        }
    }
}

impl Client {
    /// A client for the runner with these abilities. Calls nobody yet.
    ///
    /// # Errors
    ///
    /// An address that is none, certificates that cannot be read.
    pub fn new(
        endpoint: &Endpoint,
        details: RunnerDetails,
        system_id: &str,
    ) -> Result<Self, ClientError> {
        let user_agent = format!(
            "{} {} ({}/{})",
            details.name, details.version, details.platform, details.architecture
        );
        Ok(Self {
            http: Http::new(endpoint, &user_agent)?,
            details,
            system_id: system_id.to_owned(),
            last_update: Mutex::default(),
        })
    }

    /// What the runner says about itself.
    pub fn details(&self) -> &RunnerDetails {
        &self.details
    }

    /// Registers with a registration token; `POST runners`.
    pub async fn register(
        &self,
        mut request: RegisterRequest,
    ) -> Result<RunnerCredentials, ClientError> {
        let what = "registering the runner";
        request.info = self.details.clone();
        let response = self
            .runner_call(what, Method::POST, "runners", &request.token, &request)
            .await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.http.refused(what, response).await);
        }
        self.credentials(what, response).await
    }

    /// Asks whether the token is one of a runner; `POST runners/verify`. A coordinator that
    /// names no id is refused: it is none, or not one a runner can be registered with.
    pub async fn verify(&self, token: &str) -> Result<RunnerCredentials, ClientError> {
        let what = "verifying the runner";
        let request = VerifyRequest {
            info: self.details.clone(),
            token: token.to_owned(),
            system_id: self.system_id.clone(),
        };
        let response = self
            .runner_call(what, Method::POST, "runners/verify", token, &request)
            .await?;
        if response.status() != StatusCode::OK {
            return Err(self.http.refused(what, response).await);
        }
        self.credentials(what, response).await
    }

    /// Removes the runner, or of a runner that was created with its token only this manager.
    pub async fn unregister(&self, token: &str) -> Result<(), ClientError> {
        let what = "removing the runner";
        let created = is_created_token(token);
        let request = UnregisterRequest {
            token: token.to_owned(),
            system_id: created.then(|| self.system_id.clone()),
        };
        let path = if created {
            "runners/managers"
        } else {
            "runners"
        };
        let response = self
            .runner_call(what, Method::DELETE, path, token, &request)
            .await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.http.refused(what, response).await),
        }
    }

    /// A new token for the runner; `POST runners/reset_authentication_token`, or with its id
    /// and a person's token `POST runners/:id/reset_authentication_token`.
    pub async fn reset_token(
        &self,
        token: &str,
        by_person: Option<(i64, &str)>,
    ) -> Result<RunnerCredentials, ClientError> {
        let what = "resetting the runner's token";
        let response = match by_person {
            None => {
                let request = UnregisterRequest {
                    token: token.to_owned(),
                    system_id: None,
                };
                let path = "runners/reset_authentication_token";
                self.runner_call(what, Method::POST, path, token, &request)
                    .await?
            }
            Some((id, person)) => {
                let path = format!("runners/{id}/reset_authentication_token");
                let url = self.http.url(&path);
                let request = || {
                    self.http
                        .request(Method::POST, url.clone())
                        .header(PRIVATE_TOKEN, person)
                        .json(&())
                };
                self.http.send(what, request).await?
            }
        };
        match response.status() {
            StatusCode::CREATED => self.http.json(what, response).await,
            _ => Err(self.http.refused(what, response).await),
        }
    }

    /// Whether the coordinator can hold the next request: it has told the state of its queue,
    /// and with it can see whether anything is new.
    pub(super) fn can_be_held(&self) -> bool {
        self.last_update().is_some()
    }

    /// Asks for a job; `POST jobs/request`. The coordinator may hold the call for a minute.
    /// Dropping the future gives the call up.
    pub async fn request_job(&self, token: &str) -> Result<Offer, ClientError> {
        let what = "asking for a job";
        let request = JobRequest {
            info: self.details.clone(),
            token: token.to_owned(),
            system_id: self.system_id.clone(),
            last_update: self.last_update(),
        };
        let response = self
            .runner_call(what, Method::POST, "jobs/request", token, &request)
            .await?;
        if let Some(value) = header(&response, LAST_UPDATE) {
            let mut last = self
                .last_update
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *last = Some(value.to_owned());
        }
        match response.status() {
            StatusCode::NO_CONTENT => Ok(Offer::Nothing),
            StatusCode::CREATED => {
                let body = self.http.body(what, response).await?;
                Ok(match JobPayload::decode(&body) {
                    Ok(job) => Offer::Job(Box::new(job)),
                    Err(error) => Offer::Unusable(error),
                })
            }
            _ => Err(self.http.refused(what, response).await),
        }
    }

    fn last_update(&self) -> Option<String> {
        let last = self.last_update.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reports a job's state; `PUT jobs/:id`.
    pub(super) async fn update_job(
        &self,
        job: i64,
        mut update: JobUpdateRequest,
    ) -> Result<Word, ClientError> {
        update.info = self.details.clone();
        update.checksum.clone_from(&update.output.checksum);
        let url = self.http.url(&format!("jobs/{job}"));
        let request = || {
            self.http
                .request(Method::PUT, url.clone())
                .header(JOB_TOKEN, &update.token)
                .json(&update)
        };
        let response = self.http.send("reporting the job", request).await?;
        Ok(word(&response))
    }

    /// Sends a piece of a job's log; `PATCH jobs/:id/trace`.
    pub(super) async fn patch_trace(
        &self,
        job: i64,
        token: &str,
        offset: u64,
        bytes: Vec<u8>,
        debug: bool,
    ) -> Result<Word, ClientError> {
        let mut url = self.http.url(&format!("jobs/{job}/trace"));
        url.set_query(Some(&format!("debug_trace={debug}")));
        let range = ContentRange::of(offset, bytes.len() as u64).to_string();
        let bytes = bytes::Bytes::from(bytes);
        let request = || {
            self.http
                .request(Method::PATCH, url.clone())
                .header(JOB_TOKEN, token)
                .header("Content-Type", "text/plain")
                .header("Content-Range", &range)
                .body(bytes.clone())
        };
        let response = self.http.send("sending the log", request).await?;
        Ok(word(&response))
    }

    async fn runner_call(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        token: &str,
        body: &impl Serialize,
    ) -> Result<Response, ClientError> {
        let url = self.http.url(path);
        let request = || {
            self.http
                .request(method.clone(), url.clone())
                .header("Accept", "application/json")
                .header(RUNNER_TOKEN, token)
                .json(body)
        };
        self.http.send(what, request).await
    }

    async fn credentials(
        &self,
        what: &'static str,
        response: Response,
    ) -> Result<RunnerCredentials, ClientError> {
        let status = response.status();
        let credentials: RunnerCredentials = self.http.json(what, response).await?;
        if credentials.id == 0 {
            return Err(ClientError::Unexpected {
                what,
                host: self.http.host(),
                status,
                reason: "it names no id of the runner".to_owned(),
            });
        }
        Ok(credentials)
    }
}

fn word(response: &Response) -> Word {
    let interval = header(response, TRACE_UPDATE_INTERVAL)
        .and_then(|text| text.trim().parse::<u64>().ok())
        .filter(|seconds| *seconds > 0)
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_INTERVAL));
    Word {
        status: response.status(),
        job: JobStatus::from_header(header(response, JOB_STATUS)),
        interval,
        stored: stored_size(header(response, "Range")),
    }
}
