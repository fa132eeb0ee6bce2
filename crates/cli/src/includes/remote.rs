//! Files of other hosts: from the lock where they are known, else over HTTP.

use std::path::Path;
use std::time::Duration;

use shipway_config::RemoteError;

use super::lock::{Lock, LockError, of};
use crate::args::IncludeArgs;

/// Where files of other hosts come from.
pub(super) struct Remote {
    lock: Lock,
    update: bool,
    offline: bool,
    #[cfg(feature = "remote")]
    allow_private: bool,
}

impl Remote {
    pub(super) fn new(args: &IncludeArgs, state_dir: &Path) -> Self {
        Self {
            lock: Lock::new(state_dir),
            update: args.update_includes,
            offline: args.offline,
            #[cfg(feature = "remote")]
            allow_private: args.private_includes,
        }
    }

    /// The text at an address, in `left` at most.
    ///
    /// What the lock knows is taken as it was. What it does not know is fetched and noted.
    pub(super) fn get(&self, url: &str, left: Duration) -> Result<String, RemoteError> {
        let known = match self.update {
            true => None,
            false => self.lock.digest(url).map_err(unusable)?,
        };
        if let Some(text) = known
            .as_deref()
            .and_then(|digest| self.lock.content(digest))
        {
            return Ok(text);
        }
        if self.offline {
            return Err(RemoteError::new("the network is not to be used")
                .hint("run once without `--offline`; the file is kept for the next time"));
        }
        let text = self.fetch(url, left)?;
        match known {
            Some(digest) if of(&text) != digest => {
                return Err(
                    RemoteError::new("its content is not the one that was locked")
                        .hint("look at what changed, then take it with `--update-includes`"),
                );
            }
            _ => self.lock.put(url, &text).map_err(unusable)?,
        }
        Ok(text)
    }

    #[cfg(feature = "remote")]
    fn fetch(&self, url: &str, left: Duration) -> Result<String, RemoteError> {
        let limits = shipway_fetch::Limits {
            bytes: shipway_config::Limits::default().yaml_bytes,
            time: left,
        };
        let reach = match self.allow_private {
            true => shipway_fetch::Reach::Everywhere,
            false => shipway_fetch::Reach::Public,
        };
        shipway_fetch::get(url, reach, &limits).map_err(|error| {
            let fault = RemoteError::new(error.to_string());
            match error.is_private() {
                true => fault.hint("where you trust it: `--private-includes`"),
                false => fault,
            }
        })
    }

    #[cfg(not(feature = "remote"))]
    fn fetch(&self, _url: &str, _left: Duration) -> Result<String, RemoteError> {
        Err(
            RemoteError::new("this shipway was built without `include:remote`").hint(
                "build it with the feature `remote`: cargo install --path crates/cli --features \
                 remote; `full` has everything",
            ),
        )
    }
}

fn unusable(error: LockError) -> RemoteError {
    RemoteError::new(error.to_string())
}
