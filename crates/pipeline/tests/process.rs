//! Scenarios of the state machine, written as small scripts.
//!
//! A line `name: stage options` declares a job (`manual`, `delayed`, `always`, `on_failure`,
//! `may_fail`, `must_succeed`, `group=name`, `trigger`, `needs=a+b`, `retry=N`, `codes=1+2`). A line `> event jobs`
//! lets something happen. A line `= pipeline | stage … | job …` is the whole expected state.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use shipway_config::{AllowFailure, Retry, When};
use shipway_pipeline::{Change, Event, JobState, StageState, State, Status};

fn job(line: &str, stages: &mut Vec<StageState>) -> JobState {
    let (name, rest) = line.split_once(':').expect("name: stage");
    let mut words = rest.split_whitespace();
    let stage = words.next().expect("a stage");
    let stage = match stages.iter().position(|known| known.name == stage) {
        Some(index) => index,
        None => {
            stages.push(StageState {
                name: stage.to_owned(),
                status: Status::Created,
            });
            stages.len() - 1
        }
    };
    let mut job = JobState {
        name: name.trim().to_owned(),
        stage,
        status: Status::Created,
        when: When::OnSuccess,
        allow_failure: AllowFailure::Always(false),
        needs: None,
        triggered: false,
        retry: None,
        retries: 0,
        resource_group: None,
        bridge: false,
    };
    let list = |text: &str| -> Vec<String> {
        let items = text.split('+').filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("manual", _) => {
                job.when = When::Manual;
                job.allow_failure = AllowFailure::Always(true);
            }
            ("delayed", _) => job.when = When::Delayed,
            ("always", _) => job.when = When::Always,
            ("on_failure", _) => job.when = When::OnFailure,
            ("may_fail", _) => job.allow_failure = AllowFailure::Always(true),
            ("must_succeed", _) => job.allow_failure = AllowFailure::Always(false),
            ("trigger", _) => job.bridge = true,
            ("group", name) => job.resource_group = Some(name.to_owned()),
            ("needs", names) => job.needs = Some(list(names)),
            ("retry", max) => {
                job.retry = Some(Retry {
                    max: max.parse().unwrap(),
                    ..Retry::default()
                });
            }
            ("codes", codes) => {
                let codes = codes.split('+').map(|code| code.parse().unwrap());
                job.allow_failure = AllowFailure::ExitCodes(codes.collect());
            }
            other => panic!("unknown word {other:?}"),
        }
    }
    job
}

fn picture(state: &State) -> String {
    let stages: Vec<_> = (state.stages.iter())
        .map(|stage| format!("{} {}", stage.name, stage.status))
        .collect();
    let jobs: Vec<_> = (state.jobs.iter())
        .map(|job| format!("{} {}", job.name, job.status))
        .collect();
    format!(
        "{} | {} | {}",
        state.pipeline,
        stages.join(", "),
        jobs.join(", ")
    )
}

fn events(line: &str, state: &State) -> Vec<Event> {
    let (event, names) = line.split_once(' ').unwrap_or((line, ""));
    let jobs = names
        .split_whitespace()
        .map(|name| state.job(name).unwrap());
    let failed = |job, exit_code| Event::Failed {
        job,
        reason: "script_failure".to_owned(),
        exit_code,
    };
    let followed = |job, status| Event::Followed { job, status };
    match event {
        "cancel_pipeline" => vec![Event::CancelPipeline],
        "retry_pipeline" => vec![Event::RetryPipeline],
        _ => jobs
            .map(|job| match event {
                "success" => Event::Succeeded(job),
                "drop" => failed(job, None),
                "exit3" => failed(job, Some(3)),
                "run" => Event::Started(job),
                "cancel" => Event::Cancel(job),
                "canceled" => Event::Canceled(job),
                "play" => Event::Play(job),
                "retry" => Event::Retry(job),
                "due" => Event::Due(job),
                "assigned" => Event::Assigned(job),
                "follow_running" => followed(job, Status::Running),
                "follow_manual" => followed(job, Status::Manual),
                "follow_success" => followed(job, Status::Success),
                "follow_failed" => followed(job, Status::Failed),
                "unschedule" => Event::Unschedule(job),
                other => panic!("unknown event {other}"),
            })
            .collect(),
    }
}

#[track_caller]
fn scenario(script: &str) {
    let mut stages = Vec::new();
    let mut jobs = Vec::new();
    let mut state: Option<State> = None;
    let cancel_on_job_failure = script.contains("cancel_on_job_failure");
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(expected) = line.strip_prefix("= ") {
            let state = state.get_or_insert_with(|| {
                let mut state = State {
                    pipeline: Status::Created,
                    stages: stages.clone(),
                    jobs: jobs.clone(),
                    cancel_on_job_failure,
                    keep_going: script.contains("keep_going"),
                    shared_groups: script.contains("shared_groups"),
                };
                state.apply(&[Event::Process]).unwrap();
                state
            });
            assert_eq!(picture(state), expected, "\nin{script}");
            let again = state.apply(&[Event::Process]).unwrap();
            assert_eq!(again, [], "a settled state stays, in{script}");
        } else if let Some(event) = line.strip_prefix("> ") {
            let state = state.as_mut().expect("a state before an event");
            let events = events(event, state);
            state.apply(&events).unwrap();
        } else if !matches!(
            line,
            "cancel_on_job_failure" | "keep_going" | "shared_groups"
        ) {
            jobs.push(job(line, &mut stages));
        }
    }
}

#[test]
fn stages_run_one_after_another() {
    scenario(
        "
        a: build
        b: test
        c: deploy
        = pending | build pending, test created, deploy created | a pending, b created, c created
        > run a
        = running | build running, test created, deploy created | a running, b created, c created
        > success a
        = running | build success, test pending, deploy created | a success, b pending, c created
        > drop b
        = failed | build success, test failed, deploy skipped | a success, b failed, c skipped
        > retry b
        = running | build success, test pending, deploy skipped | a success, b pending, c created
        > success b
        = running | build success, test success, deploy pending | a success, b success, c pending
        > success c
        = success | build success, test success, deploy success | a success, b success, c success
        ",
    );
}

#[test]
fn needs_start_as_soon_as_they_can() {
    scenario(
        "
        a: build
        slow: build
        b: test needs=a
        now: test needs=
        later: test
        = pending | build pending, test pending | a pending, slow pending, b created, now pending, later created
        > success a
        = running | build running, test pending | a success, slow pending, b pending, now pending, later created
        > drop slow
        = running | build failed, test pending | a success, slow failed, b pending, now pending, later skipped
        > success b now
        = failed | build failed, test success | a success, slow failed, b success, now success, later skipped
        ",
    );
}

#[test]
fn failure_decides_what_when_means() {
    scenario(
        "
        a: build
        cleanup: test always
        rescue: test on_failure
        ship: deploy
        = pending | build pending, test created, deploy created | a pending, cleanup created, rescue created, ship created
        > drop a
        = running | build failed, test pending, deploy created | a failed, cleanup pending, rescue pending, ship created
        > success cleanup rescue
        = failed | build failed, test success, deploy skipped | a failed, cleanup success, rescue success, ship skipped
        ",
    );
    scenario(
        "
        a: build may_fail
        rescue: test on_failure
        ship: test
        = pending | build pending, test created | a pending, rescue created, ship created
        > drop a
        = pending | build success, test pending | a failed, rescue skipped, ship pending
        ",
    );
}

#[test]
fn cancellation_starts_nothing() {
    scenario(
        "
        a: build
        cleanup: test always
        rescue: test on_failure
        = pending | build pending, test created | a pending, cleanup created, rescue created
        > run a
        > cancel a
        = running | build canceling, test created | a canceling, cleanup created, rescue created
        > canceled a
        = canceled | build canceled, test skipped | a canceled, cleanup skipped, rescue skipped
        ",
    );
    scenario(
        "
        a: build
        b: test
        ask: test manual
        = pending | build pending, test created | a pending, b created, ask created
        > cancel_pipeline
        = canceled | build canceled, test canceled | a canceled, b canceled, ask canceled
        > retry_pipeline
        = running | build pending, test canceled | a pending, b created, ask created
        > success a
        = running | build success, test pending | a success, b pending, ask manual
        ",
    );
}

#[test]
fn manual_jobs_block_or_do_not() {
    scenario(
        "
        ask: build manual
        b: test
        c: test needs=ask
        = pending | build skipped, test pending | ask manual, b pending, c skipped
        > play ask
        = pending | build pending, test pending | ask pending, b pending, c created
        > success ask
        = running | build success, test pending | ask success, b pending, c pending
        ",
    );
    scenario(
        "
        ask: build manual must_succeed
        b: test
        c: test needs=ask
        = manual | build manual, test created | ask manual, b created, c created
        > play ask
        = pending | build pending, test created | ask pending, b created, c created
        > drop ask
        = failed | build failed, test skipped | ask failed, b skipped, c skipped
        ",
    );
}

#[test]
fn delayed_jobs_hold_the_pipeline() {
    scenario(
        "
        wait: build delayed
        b: test
        = scheduled | build scheduled, test created | wait scheduled, b created
        > due wait
        = pending | build pending, test created | wait pending, b created
        > success wait
        = running | build success, test pending | wait success, b pending
        ",
    );
    scenario(
        "
        wait: build delayed
        = scheduled | build scheduled | wait scheduled
        > unschedule wait
        = manual | build manual | wait manual
        > play wait
        = pending | build pending | wait pending
        ",
    );
}

#[test]
fn a_failed_job_is_tried_again_while_it_may() {
    scenario(
        "
        a: build retry=1
        b: test
        = pending | build pending, test created | a pending, b created
        > run a
        > drop a
        = running | build pending, test created | a pending, b created
        > drop a
        = failed | build failed, test skipped | a failed, b skipped
        ",
    );
}

#[test]
fn some_exit_codes_may_be_allowed() {
    scenario(
        "
        a: build codes=3+4
        b: test
        = pending | build pending, test created | a pending, b created
        > exit3 a
        = pending | build success, test pending | a failed, b pending
        ",
    );
    scenario(
        "
        a: build codes=4
        b: test
        = pending | build pending, test created | a pending, b created
        > exit3 a
        = failed | build failed, test skipped | a failed, b skipped
        ",
    );
}

#[test]
fn one_failure_can_cancel_the_rest() {
    scenario(
        "
        cancel_on_job_failure
        a: build
        b: build
        c: test
        = pending | build pending, test created | a pending, b pending, c created
        > run a b
        > drop a
        = canceling | build canceling, test canceled | a failed, b canceling, c canceled
        > canceled b
        = failed | build failed, test canceled | a failed, b canceled, c canceled
        ",
    );
}

#[test]
fn going_on_after_a_failure_spares_what_needs_it() {
    scenario(
        "
        keep_going
        a: build
        b: test
        c: test needs=a
        d: test on_failure
        = pending | build pending, test created | a pending, b created, c created, d created
        > drop a
        = running | build failed, test pending | a failed, b pending, c skipped, d pending
        > success b d
        = failed | build failed, test success | a failed, b success, c skipped, d success
        ",
    );
}

#[test]
fn jobs_of_a_resource_group_take_turns() {
    scenario(
        "
        a: deploy group=prod
        b: deploy group=prod
        c: deploy group=other
        = running | deploy running | a pending, b waiting_for_resource, c pending
        > run a
        = running | deploy running | a running, b waiting_for_resource, c pending
        > drop a
        = running | deploy running | a failed, b pending, c pending
        > success b c
        = failed | deploy failed | a failed, b success, c success
        ",
    );
}

#[test]
fn a_shared_resource_is_given_from_outside() {
    scenario(
        "
        shared_groups
        a: deploy group=production
        b: deploy group=production
        c: deploy
        = running | deploy running | a waiting_for_resource, b waiting_for_resource, c pending
        > assigned a
        = running | deploy running | a pending, b waiting_for_resource, c pending
        > success a c
        = waiting_for_resource | deploy waiting_for_resource | a success, b waiting_for_resource, c success
        > cancel b
        = canceled | deploy canceled | a success, b canceled, c success
        ",
    );
}

#[test]
fn a_trigger_job_goes_as_the_other_pipeline_does() {
    scenario(
        "
        child: build trigger
        after: test
        cleanup: test on_failure
        = pending | build pending, test created | child pending, after created, cleanup created
        > follow_running child
        = running | build running, test created | child running, after created, cleanup created
        > follow_manual child
        = manual | build manual, test created | child manual, after created, cleanup created
        > follow_success child
        = running | build success, test pending | child success, after pending, cleanup skipped
        ",
    );
}

#[test]
fn a_downstream_pipeline_that_goes_on_revives_its_trigger_job() {
    scenario(
        "
        child: build trigger
        after: test
        = pending | build pending, test created | child pending, after created
        > follow_failed child
        = failed | build failed, test skipped | child failed, after skipped
        > follow_running child
        = running | build running, test skipped | child running, after created
        > follow_success child
        = running | build success, test pending | child success, after pending
        ",
    );
}

#[test]
fn a_trigger_job_is_canceled_at_once_and_retried_like_any() {
    scenario(
        "
        child: build trigger
        = pending | build pending | child pending
        > follow_running child
        = running | build running | child running
        > cancel child
        = canceled | build canceled | child canceled
        > retry child
        = running | build pending | child pending
        ",
    );
}

#[test]
fn a_failed_child_can_cancel_the_rest_of_its_parent() {
    scenario(
        "
        cancel_on_job_failure
        child: build trigger
        other: build
        = pending | build pending | child pending, other pending
        > follow_running child
        = running | build running | child running, other pending
        > follow_failed child
        = failed | build failed | child failed, other canceled
        ",
    );
}

#[test]
fn changes_come_in_an_order_that_can_be_stored() {
    let mut stages = Vec::new();
    let jobs = vec![
        job("a: build retry=1", &mut stages),
        job("b: test", &mut stages),
    ];
    let mut state = State {
        pipeline: Status::Created,
        stages,
        jobs,
        cancel_on_job_failure: false,
        keep_going: false,
        shared_groups: false,
    };
    state
        .apply(&[Event::Process, Event::Started(0)])
        .unwrap_err();
    state.apply(&[Event::Process]).unwrap();
    state.apply(&[Event::Started(0)]).unwrap();
    let failed = Event::Failed {
        job: 0,
        reason: "script_failure".to_owned(),
        exit_code: Some(1),
    };
    let expected = [
        Change::Job {
            job: 0,
            status: Status::Failed,
        },
        Change::Attempt {
            job: 0,
            triggered: true,
        },
        Change::Job {
            job: 0,
            status: Status::Pending,
        },
        Change::Stage {
            stage: 0,
            status: Status::Pending,
        },
    ];
    assert_eq!(state.apply(&[failed]).unwrap(), expected);
}

#[test]
fn an_impossible_event_changes_nothing_and_says_why() {
    let mut stages = Vec::new();
    let jobs = vec![job("a: build", &mut stages)];
    let mut state = State {
        pipeline: Status::Created,
        stages,
        jobs,
        cancel_on_job_failure: false,
        keep_going: false,
        shared_groups: false,
    };
    state.apply(&[Event::Process]).unwrap();
    let before = state.clone();
    let fault = state
        .apply(&[Event::Succeeded(0), Event::Started(0)])
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "job `a` is success, so it cannot be started"
    );
    assert_eq!(state, before);
}
