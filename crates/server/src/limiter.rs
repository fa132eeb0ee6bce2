//! How often something may be tried.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::error::ApiError;

/// Passwords that may be tried for one name from one address, per minute.
pub(crate) const SIGN_INS_PER_NAME: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Passwords that may be tried from one address, per minute.
pub(crate) const SIGN_INS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Runners that may be registered, or tried to be, from one address, per minute.
pub(crate) const REGISTRATIONS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// So many keys may be known before those that no longer matter are forgotten.
const MANY_KEYS: usize = 10_000;

/// A longer name is no user's.
const LONGEST_NAME: usize = 255;

/// Counts attempts, in memory: a restart forgives.
#[derive(Debug)]
pub(crate) struct Limiter {
    names: DefaultKeyedRateLimiter<(IpAddr, String)>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    registrations: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            names: DefaultKeyedRateLimiter::keyed(Quota::per_minute(SIGN_INS_PER_NAME)),
            addresses: DefaultKeyedRateLimiter::keyed(Quota::per_minute(SIGN_INS_PER_ADDRESS)),
            registrations: DefaultKeyedRateLimiter::keyed(Quota::per_minute(
                REGISTRATIONS_PER_ADDRESS,
            )),
            clock: DefaultClock::default(),
        }
    }
}

impl Limiter {
    /// Counts the attempt to sign in by a password.
    ///
    /// # Errors
    ///
    /// 429 with the time to wait.
    pub(crate) fn sign_in(&self, address: IpAddr, name: &str) -> Result<(), ApiError> {
        self.check(&self.addresses, &group(address))?;
        let name: String = name.to_lowercase().chars().take(LONGEST_NAME).collect();
        self.check(&self.names, &(group(address), name))
    }

    /// Counts the registration of a runner.
    ///
    /// # Errors
    ///
    /// 429 with the time to wait.
    pub(crate) fn registration(&self, address: IpAddr) -> Result<(), ApiError> {
        self.check(&self.registrations, &group(address))
    }

    fn check<K: Clone + Eq + std::hash::Hash>(
        &self,
        limiter: &DefaultKeyedRateLimiter<K>,
        key: &K,
    ) -> Result<(), ApiError> {
        if limiter.len() > MANY_KEYS {
            limiter.retain_recent();
        }
        limiter.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            ApiError::too_many_requests(whole_seconds(wait))
        })
    }
}

/// Whoever has one IPv6 address most often has its whole /64.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let kept = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(kept.into())
        }
        address => address,
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_limited_per_address() {
        let limiter = Limiter::default();
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        for _ in 0..SIGN_INS_PER_NAME.get() {
            limiter.sign_in(one, "ann").unwrap();
        }
        let refused = limiter.sign_in(one, "ANN").unwrap_err();
        assert_eq!(refused.status().as_u16(), 429);
        limiter.sign_in(one, "bob").unwrap();
        limiter.sign_in(other, "ann").unwrap();
    }

    #[test]
    fn an_address_is_limited_whatever_the_name() {
        let limiter = Limiter::default();
        let refused = (0..1000).find(|index| {
            let name = format!("user{index}");
            limiter.sign_in(address("10.0.0.1"), &name).is_err()
        });
        assert!(refused.is_some_and(|index| index >= SIGN_INS_PER_ADDRESS.get()));
    }

    #[test]
    fn addresses_of_one_network_count_as_one() {
        assert_eq!(
            group(address("2001:db8::1")),
            group(address("2001:db8::ffff:1"))
        );
        assert_ne!(
            group(address("2001:db8::1")),
            group(address("2001:db8:0:1::1"))
        );
        assert_eq!(group(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(6)), 6);
    }
}
