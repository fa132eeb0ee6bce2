//! A runner as far as the server sees it: asks for a job, sends its log, says that it is done.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::LocalSet;

use crate::http::{Answer, Connection};

/// Bytes of a job's log.
const LOG: usize = 1024;

const JSON: &str = "Content-Type: application/json\r\n";

/// A job that a runner has.
#[derive(Debug, Deserialize)]
pub(crate) struct Taken {
    id: i64,
    token: String,
}

/// One connection of a runner.
#[derive(Debug)]
pub(crate) struct Runner {
    connection: Connection,
    token: String,
    last_update: String,
}

impl Runner {
    pub(crate) async fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            connection: Connection::open(address).await,
            token: token.to_owned(),
            last_update: String::new(),
        }
    }

    /// Asks for a job; held where the server may hold and has nothing.
    pub(crate) async fn ask(&mut self, held: bool) -> Option<Taken> {
        let answer = self.request(held).await;
        (answer.status == 201).then(|| serde_json::from_slice(&answer.body).expect("a job"))
    }

    async fn request(&mut self, held: bool) -> Answer {
        let last = if held { self.last_update.as_str() } else { "" };
        let body = format!(
            r#"{{"token":"{}","system_id":"s_bench","last_update":"{last}","info":{INFO}}}"#,
            self.token
        );
        let call = (self.connection).call("POST", "/api/v4/jobs/request", JSON, body.as_bytes());
        let answer = call.await;
        if answer.status == 204 {
            let last = answer.header("x-gitlab-last-update").unwrap_or_default();
            self.last_update = last.to_owned();
            return answer;
        }
        answer.is(201)
    }

    pub(crate) async fn send_log(&mut self, job: &Taken) {
        let path = format!("/api/v4/jobs/{}/trace?debug_trace=false", job.id);
        let headers = format!(
            "JOB-TOKEN: {}\r\nContent-Range: 0-{}\r\nContent-Type: text/plain\r\n",
            job.token,
            LOG - 1
        );
        let call = self.connection.call("PATCH", &path, &headers, &[b'l'; LOG]);
        call.await.is(202);
    }

    pub(crate) async fn succeed(&mut self, job: &Taken) {
        let path = format!("/api/v4/jobs/{}", job.id);
        let body = format!(
            r#"{{"token":"{}","state":"success","exit_code":0,"output":{{}},"info":{INFO}}}"#,
            job.token
        );
        let call = self.connection.call("PUT", &path, JSON, body.as_bytes());
        call.await.is(200);
    }
}

/// What a runner says of itself.
const INFO: &str = r#"{"name":"gitlab-runner","version":"19.4.0","revision":"d79f3e7b","platform":"linux","architecture":"amd64","executor":"shell","shell":"bash","features":{"variables":true,"artifacts":true,"cache":true,"refspecs":true,"upload_multiple_artifacts":true,"return_exit_code":true,"cancelable":true}}"#;

/// How many jobs in a second come to their end while all these runners work, until `jobs` have.
pub(crate) async fn rate(address: SocketAddr, tokens: &[String], jobs: usize) -> f64 {
    let taken = Rc::new(Cell::new(0));
    let mut runners = Vec::new();
    for token in tokens {
        runners.push(Runner::new(address, token).await);
    }
    let start = Instant::now();
    let local = LocalSet::new();
    let mut work = Vec::new();
    for mut runner in runners {
        let taken = Rc::clone(&taken);
        work.push(local.spawn_local(async move {
            while taken.get() < jobs {
                match runner.ask(false).await {
                    Some(job) => {
                        taken.set(taken.get() + 1);
                        runner.send_log(&job).await;
                        runner.succeed(&job).await;
                    }
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        }));
    }
    local.await;
    for task in work {
        task.await.expect("a runner");
    }
    taken.get() as f64 / start.elapsed().as_secs_f64()
}

/// Takes the only job that waits and ends it; what the server answered to the request.
pub(crate) async fn take_one(address: SocketAddr, token: &str) -> Vec<u8> {
    let mut runner = Runner::new(address, token).await;
    let answer = runner.request(false).await.is(201);
    let job: Taken = serde_json::from_slice(&answer.body).expect("a job");
    runner.succeed(&job).await;
    answer.body
}
