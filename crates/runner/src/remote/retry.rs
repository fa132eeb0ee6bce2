//! When a call is repeated, and how long after: plain decisions over status and headers.
//!
//! Source: the retry layer of GitLab's runner, below the logic of the single calls.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How often a call is made in all.
pub(super) const ATTEMPTS: u32 = 5;
/// No coordinator can make a runner wait longer before it asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LAST_BACK_OFF: Duration = Duration::from_secs(60);

/// Whether the same call may succeed later.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504) || status.as_u16() >= 512
}

/// The wait before the attempt after the `attempt`th, counted from 1: what the coordinator
/// asks for, else growing from 100 ms to a minute.
pub(super) fn wait(headers: &HeaderMap, attempt: u32, now: SystemTime) -> Duration {
    asked_for(headers, now).map_or_else(|| back_off(attempt), |wait| wait.min(LONGEST_WAIT))
}

/// The growing wait where the coordinator asks for none.
pub(super) fn back_off(attempt: u32) -> Duration {
    FIRST_BACK_OFF
        .saturating_mul(
            1_u32
                .checked_shl(attempt.saturating_sub(1))
                .unwrap_or(u32::MAX),
        )
        .min(LAST_BACK_OFF)
}

fn asked_for(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let reset = text("RateLimit-ResetTime")
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .and_then(|date| date.duration_since(now).ok());
    let seconds = || {
        let seconds: u64 = text(RETRY_AFTER.as_str())?.trim().parse().ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    };
    reset.or_else(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_answers_are_repeated() {
        for (status, repeated) in [
            (200, false),
            (403, false),
            (408, true),
            (409, false),
            (429, true),
            (500, true),
            (501, false),
            (503, true),
            (505, false),
            (511, false),
            (521, true),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(is_transient(status), repeated, "{status}");
        }
    }

    #[test]
    fn the_coordinator_says_how_long_to_wait() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let date = |seconds| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        for (headers, expected) in [
            (vec![], Duration::from_millis(400)),
            (
                vec![("Retry-After", "2".to_owned())],
                Duration::from_secs(2),
            ),
            (
                vec![("Retry-After", "0".to_owned())],
                Duration::from_millis(400),
            ),
            (vec![("Retry-After", date(9))], Duration::from_millis(400)),
            (vec![("Retry-After", "99999".to_owned())], LONGEST_WAIT),
            (
                vec![
                    ("Retry-After", "2".to_owned()),
                    ("RateLimit-ResetTime", date(30)),
                ],
                Duration::from_secs(30),
            ),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            assert_eq!(wait(&map, 3, now), expected, "{headers:?}");
        }
        assert_eq!(back_off(1), FIRST_BACK_OFF);
        assert_eq!(back_off(200), LAST_BACK_OFF);
    }
}
