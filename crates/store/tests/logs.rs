//! Logs, and a writer of them that is killed at any time.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;

use shipway_pipeline::{JobId, PipelineId};
use shipway_store::{LogError, Store};
use support::store;

const PIPELINE: PipelineId = PipelineId(3);
const JOB: JobId = JobId(14);

#[tokio::test]
async fn parts_of_a_log_are_stored_once_however_often_they_are_sent() {
    let (_directory, store) = store().await;
    let logs = store.logs();
    let append = |offset, text: &str| logs.append(PIPELINE, JOB, offset, text.as_bytes());
    for (offset, text, stored) in [
        (0, "", 0),
        (0, "hello ", 6),
        (0, "hello ", 6),
        (6, "world", 11),
        (3, "lo wor", 11),
        (3, "lo world!\n", 13),
        (13, "", 13),
        (0, "hello world!\nmore\n", 18),
    ] {
        assert_eq!(append(offset, text).unwrap(), stored, "{offset} {text:?}");
    }
    let error = append(40, "x").unwrap_err();
    assert!(
        matches!(
            error,
            LogError::Gap {
                expected: 18,
                offset: 40,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        logs.read(PIPELINE, JOB, 0, 1000).unwrap(),
        b"hello world!\nmore\n"
    );
    assert_eq!(logs.length(PIPELINE, JOB).unwrap(), 18);
    assert!(logs.path(PIPELINE, JOB).ends_with("logs/3/14.log"));
}

#[tokio::test]
async fn a_log_is_read_by_window() {
    let (_directory, store) = store().await;
    let logs = store.logs();
    assert_eq!(logs.read(PIPELINE, JOB, 0, 10).unwrap(), b"");
    assert_eq!(logs.length(PIPELINE, JOB).unwrap(), 0);
    logs.append(PIPELINE, JOB, 0, b"0123456789").unwrap();
    for (offset, limit, expected) in [
        (0, 4, "0123"),
        (4, 4, "4567"),
        (8, 4, "89"),
        (10, 4, ""),
        (99, 4, ""),
        (0, 0, ""),
        (0, usize::MAX, "0123456789"),
    ] {
        let window = logs.read(PIPELINE, JOB, offset, limit).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&window),
            expected,
            "{offset} {limit}"
        );
    }
}

#[tokio::test]
async fn a_writer_killed_at_any_byte_is_taken_up_where_it_stopped() {
    let whole: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    for cut in [0, 1, 4095, 4096, 4097, 39_999] {
        let (directory, first) = store().await;
        // What a killed process leaves: the beginning of what it was writing.
        first.logs().append(PIPELINE, JOB, 0, &whole[..1]).unwrap();
        let path = first.logs().path(PIPELINE, JOB);
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(0).unwrap();
        file.write_all_at(&whole[..cut], 0).unwrap();
        drop((first, file));

        let second = Store::open(&directory.path().join("state")).await.unwrap();
        let logs = second.logs();
        let mut sent = 0;
        while sent < whole.len() {
            let end = (sent + 1500).min(whole.len());
            let stored = logs
                .append(PIPELINE, JOB, sent as u64, &whole[sent..end])
                .unwrap();
            assert!(stored >= end as u64);
            sent = end;
        }
        assert_eq!(
            logs.read(PIPELINE, JOB, 0, usize::MAX).unwrap(),
            whole,
            "cut at {cut}"
        );
    }
}

/// Names the state directory to the process that [`append_until_killed`] is.
const KILLED_STATE: &str = "SHIPWAY_TEST_KILLED_STATE";

/// The byte at a place of the log that the killed process writes.
fn byte_at(place: u64) -> u8 {
    (place % 251) as u8
}

/// Not a test of its own: the process that the next test kills. It appends for ever and prints
/// each length that was acknowledged.
#[tokio::test]
async fn append_until_killed() {
    let Some(state) = std::env::var_os(KILLED_STATE) else {
        return;
    };
    let store = Store::open(state.as_ref()).await.unwrap();
    let mut sent = 0;
    loop {
        let part: Vec<u8> = (sent..sent + 7001).map(byte_at).collect();
        sent = store.logs().append(PIPELINE, JOB, sent, &part).unwrap();
        println!("acknowledged {sent}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    for lines in [1, 40, 300] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "append_until_killed", "--nocapture"])
            .env(KILLED_STATE, &state)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lengths = output.lines().filter_map(|line| {
            line.unwrap()
                .rsplit_once("acknowledged ")?
                .1
                .parse::<u64>()
                .ok()
        });
        let acknowledged = lengths.take(lines).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let store = Store::open(&state).await.unwrap();
        let stored = store.logs().read(PIPELINE, JOB, 0, usize::MAX).unwrap();
        assert!(stored.len() as u64 >= acknowledged);
        assert!(
            stored
                .iter()
                .zip(0..)
                .all(|(byte, place)| *byte == byte_at(place))
        );
        std::fs::remove_file(store.logs().path(PIPELINE, JOB)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_send_the_same_part_one_is_refused() {
    let (_directory, store) = store().await;
    for round in 0..50 {
        let send = || {
            let logs = store.logs().clone();
            let part = || logs.append_at_end(PIPELINE, JOB, round * 5, b"12345");
            part().map_err(|error| error.to_string())
        };
        let sent: Vec<_> = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..3).map(|_| scope.spawn(send)).collect();
            senders
                .into_iter()
                .map(|sender| sender.join().unwrap())
                .collect()
        });
        let end = (round + 1) * 5;
        let accepted = sent.iter().filter(|sent| **sent == Ok(end)).count();
        assert_eq!(accepted, 1, "{sent:?}");
    }
    // Neither beyond the end nor over it.
    for offset in [0, 249, 251] {
        let error = store
            .logs()
            .append_at_end(PIPELINE, JOB, offset, b"xx")
            .unwrap_err();
        assert!(
            matches!(error, LogError::Gap { expected: 250, .. }),
            "{error:?}"
        );
    }
    assert_eq!(store.logs().length(PIPELINE, JOB).unwrap(), 250);
}

#[tokio::test]
async fn two_senders_of_one_log_do_not_mix() {
    let (_directory, store) = store().await;
    let whole: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    std::thread::scope(|scope| {
        for size in [700, 1100, 1900] {
            let (logs, whole) = (store.logs(), &whole);
            scope.spawn(move || {
                for (index, part) in whole.chunks(size).enumerate() {
                    logs.append(PIPELINE, JOB, (index * size) as u64, part)
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(
        store.logs().read(PIPELINE, JOB, 0, usize::MAX).unwrap(),
        whole
    );
}
