//! `TRANSFER_METER_FREQUENCY`: how far a transfer has come, said every so often.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::duration::{self, GoDuration};
use crate::log::Log;

/// What is transferred.
#[derive(Debug)]
pub(crate) struct Meter {
    /// `Downloading artifacts` and the like.
    pub(crate) what: &'static str,
    /// The file that grows while it arrives; none where it is read.
    pub(crate) arriving: Option<PathBuf>,
    /// All bytes, where they are known; 0 is not.
    pub(crate) total: u64,
}

/// How often it is said; `None` for what is no duration, is not above zero, or is not set.
pub(crate) fn frequency(value: &str) -> Option<Duration> {
    match duration::parse(value) {
        Some(GoDuration::Positive(frequency)) if !frequency.is_zero() => Some(frequency),
        _ => None,
    }
}

/// Waits for the work and says meanwhile how far it has come.
pub(crate) async fn metered<T>(
    log: &mut Log,
    frequency: Option<Duration>,
    meter: Meter,
    work: impl Future<Output = T>,
) -> T {
    let Some(frequency) = frequency else {
        return work.await;
    };
    let begun = Instant::now();
    let mut ticks = interval_at(begun + frequency, frequency);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => {}
        }
        let line = line(&meter, begun.elapsed());
        log.line(&line).await;
    }
}

fn line(meter: &Meter, elapsed: Duration) -> String {
    let arrived = (meter.arriving.as_ref())
        .and_then(|path| std::fs::metadata(path).ok())
        .map(|metadata| metadata.len());
    let amount = match (arrived, meter.total) {
        (Some(arrived), 0) => megabytes(arrived),
        (Some(arrived), total) => format!("{} of {}", megabytes(arrived), megabytes(total)),
        (None, 0) => "under way".to_owned(),
        (None, total) => megabytes(total),
    };
    format!(
        "{}: {amount} after {}",
        meter.what,
        duration::format(elapsed)
    )
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Masker;
    use crate::stamps::Stream;
    use crate::testing::RecordingSource;
    use crate::trace::Trace;

    #[test]
    fn only_a_positive_duration_is_a_frequency() {
        for (value, expected) in [
            ("1s", Some(1000)),
            ("250ms", Some(250)),
            ("0", None),
            ("", None),
            ("often", None),
        ] {
            assert_eq!(
                frequency(value),
                expected.map(Duration::from_millis),
                "{value}"
            );
        }
    }

    #[tokio::test]
    async fn a_slow_transfer_says_how_far_it_is_and_a_quick_one_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, vec![0; 1_500_000]).unwrap();
        let (trace, source) = (Trace::new(u64::MAX), RecordingSource::default());
        let mut log = Log::new(trace.clone(), Masker::new(&[], &[]), false);
        let meter = || Meter {
            what: "Downloading artifacts",
            arriving: Some(file.clone()),
            total: 3_000_000,
        };
        let often = Some(Duration::from_millis(50));
        metered(&mut log, often, meter(), std::future::ready(())).await;
        let slow = || tokio::time::sleep(Duration::from_millis(600));
        metered(&mut log, None, meter(), slow()).await;
        trace.write(Stream::Runner, b"now\n").await;
        metered(&mut log, often, meter(), slow()).await;
        trace.close();
        trace.forward(1, &source).await.unwrap();
        let log = source.log();
        assert!(log.starts_with("now\n"), "{log}");
        let lines = log
            .matches("Downloading artifacts: 1.5 MB of 3.0 MB after ")
            .count();
        assert!((1..=12).contains(&lines), "{log}");
    }
}
