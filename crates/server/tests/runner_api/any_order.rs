//! Calls in any order: whatever a runner does, the server refuses or accepts, and a job's log
//! and status are what the accepted calls say.

use proptest::prelude::*;
use serde_json::json;
use shipway_pipeline::Status;

use crate::artifacts::{download, upload};
use crate::support::Site;

#[derive(Debug, Clone)]
enum Call {
    Request {
        runner: usize,
    },
    Update {
        job: usize,
        token: usize,
        state: &'static str,
    },
    Patch {
        job: usize,
        token: usize,
        offset: i64,
        bytes: usize,
    },
    Upload {
        job: usize,
        token: usize,
        bytes: usize,
    },
    Download {
        job: usize,
        token: usize,
    },
    Verify {
        runner: usize,
    },
    Reset {
        runner: usize,
    },
    Cancel {
        job: usize,
    },
    Retry {
        job: usize,
    },
    Overdue,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let states = prop::sample::select(vec!["running", "success", "failed", "pending", "banana"]);
    // Mostly the job's own token, and mostly at the end of its log.
    let token = prop_oneof![4 => Just(0_usize), 1 => 1..4_usize];
    let offset = prop_oneof![4 => Just(0_i64), 1 => -5..5_i64];
    let call = prop_oneof![
        3 => (0..3_usize).prop_map(|runner| Call::Request { runner }),
        4 => (0..4_usize, token.clone(), states)
            .prop_map(|(job, token, state)| Call::Update { job, token, state }),
        4 => (0..4_usize, token.clone(), offset, 0..9_usize)
            .prop_map(|(job, token, offset, bytes)| Call::Patch { job, token, offset, bytes }),
        2 => (0..4_usize, token.clone(), 1..9_usize)
            .prop_map(|(job, token, bytes)| Call::Upload { job, token, bytes }),
        1 => (0..4_usize, token).prop_map(|(job, token)| Call::Download { job, token }),
        1 => (0..3_usize).prop_map(|runner| Call::Verify { runner }),
        1 => (0..3_usize).prop_map(|runner| Call::Reset { runner }),
        1 => (0..4_usize).prop_map(|job| Call::Cancel { job }),
        1 => (0..4_usize).prop_map(|job| Call::Retry { job }),
        1 => Just(Call::Overdue),
    ];
    prop::collection::vec(call, 1..40)
}

/// A job that was handed out, as its runner knows it.
struct Taken {
    id: i64,
    token: String,
    log: Vec<u8>,
    /// The archive that was taken, if one was.
    archive: Option<Vec<u8>>,
    /// What it ended as, once a call said so.
    ended: Option<Status>,
}

async fn check(calls: &[Call]) {
    let site = Site::new().await;
    let mut runners = Vec::new();
    for _ in 0..3 {
        runners.push(site.runner().await.1);
    }
    site.push("a: {script: [x]}\nb: {script: [x]}\nc: {script: [x]}\nd: {script: [x]}")
        .await;
    let mut taken: Vec<Taken> = Vec::new();
    let mut overdue = 0;
    for call in calls {
        match call {
            Call::Request { runner } => {
                let answer = site.request(&runners[*runner]).await;
                assert!([201, 204].contains(&answer.status), "{call:?}: {answer:?}");
                if answer.status == 201 {
                    let job = answer.json();
                    let id = job["id"].as_i64().unwrap();
                    let token = job["token"].as_str().unwrap().to_owned();
                    assert_eq!(site.status(id).await, Status::Running);
                    // Twice only after it was put back.
                    let twice = taken.iter().any(|one| one.id == id);
                    assert!(!twice || overdue > 0, "job {id} twice");
                    taken.retain(|one| one.id != id);
                    let log = site.log(&site.job(id).await);
                    // One that was put back may have one already.
                    let had = download(&site, id, &token).await;
                    let archive = (had.status == 200).then_some(had.body);
                    taken.push(Taken {
                        id,
                        token,
                        log,
                        archive,
                        ended: None,
                    });
                }
            }
            Call::Update { job, token, state } => {
                let Some(id) = taken.get(*job).map(|one| one.id) else {
                    continue;
                };
                let other = (job + token) % taken.len();
                let own = taken[other].id == id;
                let before = site.status(id).await;
                let answer = site.update(id, &taken[other].token.clone(), state).await;
                let after = site.status(id).await;
                match answer.status {
                    200 => assert!(own && before.is_executing(), "{call:?} while {before}"),
                    // A cancelled job of a runner that cannot be asked to stop ends by itself.
                    403 if before == Status::Canceling => {
                        assert!([before, Status::Canceled].contains(&after), "{call:?}");
                    }
                    400 | 403 => assert_eq!(before, after, "{call:?}"),
                    status => panic!("{call:?}: {status}"),
                }
                let ends = ["success", "failed"].contains(state);
                if answer.status == 200 && ends {
                    let expected = match (before, *state) {
                        (Status::Canceling, _) => Status::Canceled,
                        (_, "success") => Status::Success,
                        _ => Status::Failed,
                    };
                    assert_eq!(after, expected, "{call:?}");
                    taken[*job].ended = Some(after);
                }
            }
            Call::Patch {
                job,
                token,
                offset,
                bytes,
            } => {
                let Some(id) = taken.get(*job).map(|one| one.id) else {
                    continue;
                };
                let other = (job + token) % taken.len();
                let own = taken[other].id == id;
                let stored = i64::try_from(taken[*job].log.len()).unwrap();
                let start = (stored + offset).max(0);
                let piece = vec![b'a' + u8::try_from(*bytes).unwrap(); *bytes];
                let before = site.status(id).await;
                let secret = taken[other].token.clone();
                let answer = site.patch(id, &secret, &format!("{start}-"), &piece).await;
                match answer.status {
                    202 => {
                        assert!(own && before.is_executing() && start == stored, "{call:?}");
                        taken[*job].log.extend(piece);
                    }
                    403 => {
                        // A cancelled job of such a runner ends by itself, a moment later.
                        let after = site.status(id).await;
                        let over = !before.is_executing() || !after.is_executing();
                        assert!(!own || over, "{call:?} while {before}, then {after}");
                    }
                    416 => assert_ne!(start, stored, "{call:?}"),
                    status => panic!("{call:?}: {status}"),
                }
                assert_eq!(site.log(&site.job(id).await), taken[*job].log, "{call:?}");
            }
            Call::Upload { job, token, bytes } => {
                let Some(id) = taken.get(*job).map(|one| one.id) else {
                    continue;
                };
                let other = (job + token) % taken.len();
                let own = taken[other].id == id;
                let bytes = vec![b'z'; *bytes];
                let before = site.status(id).await;
                let answer = upload(&site, id, &taken[other].token, "", &bytes).await;
                match answer.status {
                    201 => {
                        assert!(own && before.is_executing(), "{call:?} while {before}");
                        let had = taken[*job].archive.replace(bytes.clone());
                        assert!(had.is_none_or(|had| had == bytes), "{call:?}: replaced");
                    }
                    // There is another one already.
                    400 => assert!(taken[*job].archive.is_some(), "{call:?}"),
                    403 => {
                        // A cancelled job of such a runner ends by itself, a moment later.
                        let after = site.status(id).await;
                        let over = !before.is_executing() || !after.is_executing();
                        assert!(!own || over, "{call:?} while {before}, then {after}");
                    }
                    status => panic!("{call:?}: {status}"),
                }
            }
            Call::Download { job, token } => {
                let Some(id) = taken.get(*job).map(|one| one.id) else {
                    continue;
                };
                let other = (job + token) % taken.len();
                let by = site.status(taken[other].id).await;
                let answer = download(&site, id, &taken[other].token).await;
                match answer.status {
                    200 => {
                        assert!(by.is_executing(), "{call:?} by one that is {by}");
                        assert_eq!(Some(answer.body), taken[*job].archive, "{call:?}");
                    }
                    404 => assert_eq!(taken[*job].archive, None, "{call:?}"),
                    403 => {
                        let then = site.status(taken[other].id).await;
                        let over = !by.is_executing() || !then.is_executing();
                        assert!(over, "{call:?} by one that is {by}, then {then}");
                    }
                    status => panic!("{call:?}: {status}"),
                }
            }
            Call::Verify { runner } => {
                let body = json!({ "token": runners[*runner], "system_id": "s_0123456789ab" });
                site.post("runners/verify", body).await.is(200);
            }
            Call::Reset { runner } => {
                let old = runners[*runner].clone();
                let body = json!({ "token": old });
                let path = "runners/reset_authentication_token";
                let answer = site.post(path, body).await.is(201).json();
                runners[*runner] = answer["token"].as_str().unwrap().to_owned();
                site.request(&old).await.refused(403);
            }
            Call::Retry { job } => {
                let Some(one) = taken.get(*job) else { continue };
                // A job that is not over cannot be tried again, which is no fault.
                let id = shipway_pipeline::JobId(one.id);
                let _ = site.app.coordinator().retry_job(id, None).await;
            }
            Call::Cancel { job } => {
                let Some(one) = taken.get(*job) else { continue };
                // A job that is over cannot be cancelled, which is no fault.
                let _ = site
                    .app
                    .coordinator()
                    .cancel_job(shipway_pipeline::JobId(one.id))
                    .await;
            }
            Call::Overdue => {
                overdue += 1;
                let now = jiff::Timestamp::now().as_microsecond();
                let later = now + 3 * 60 * 1_000_000;
                site.app
                    .coordinator()
                    .end_overdue_jobs(later)
                    .await
                    .unwrap();
            }
        }
        for one in &taken {
            if let Some(ended) = one.ended {
                assert_eq!(
                    site.status(one.id).await,
                    ended,
                    "job {} rose again",
                    one.id
                );
            }
        }
    }
}

#[test]
fn whatever_a_runner_calls_the_rows_stay_true() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(calls in calls())| {
        runtime.block_on(check(&calls));
    });
}
