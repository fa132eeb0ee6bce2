//! The thirteen statuses and the sets they form (language inventory, 5.1).

use serde::{Deserialize, Serialize};

/// The status of a job, a stage or a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Exists and waits for what comes before.
    #[default]
    Created,
    /// Waits for its resource group.
    WaitingForResource,
    /// Prerequisites are being made.
    Preparing,
    /// Waits for an external callback.
    WaitingForCallback,
    /// In the queue for a runner.
    Pending,
    /// A runner has it.
    Running,
    /// Cancel was asked for, `after_script` may run.
    Canceling,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Was cancelled.
    Canceled,
    /// Its conditions were not met.
    Skipped,
    /// Waits for a person.
    Manual,
    /// Its delay runs.
    Scheduled,
}

impl Status {
    /// Every status, in the order of a job's life.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::WaitingForResource,
        Self::Preparing,
        Self::WaitingForCallback,
        Self::Pending,
        Self::Running,
        Self::Canceling,
        Self::Success,
        Self::Failed,
        Self::Canceled,
        Self::Skipped,
        Self::Manual,
        Self::Scheduled,
    ];

    /// GitLab's name, as in the API and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::WaitingForResource => "waiting_for_resource",
            Self::Preparing => "preparing",
            Self::WaitingForCallback => "waiting_for_callback",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
        }
    }

    /// Nothing more happens by itself or by a person's play: success, failed, canceled, skipped.
    pub fn is_completed(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped
        )
    }

    /// Completed, or waits for a person or a timer.
    pub fn is_stopped(self) -> bool {
        self.is_completed() || matches!(self, Self::Manual | Self::Scheduled)
    }

    /// In the queue or on a runner or on the way there.
    pub fn is_active(self) -> bool {
        matches!(
            self,
            Self::WaitingForResource
                | Self::Preparing
                | Self::WaitingForCallback
                | Self::Pending
                | Self::Running
        )
    }

    /// A runner works on it.
    pub fn is_executing(self) -> bool {
        matches!(self, Self::Running | Self::Canceling)
    }

    /// Cancel has an effect on it.
    pub fn is_cancelable(self) -> bool {
        !self.is_completed() && !matches!(self, Self::Canceling | Self::Manual)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// A word that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a status; statuses are created, waiting_for_resource, preparing, waiting_for_callback, pending, running, canceling, success, failed, canceled, skipped, manual, scheduled"
)]
pub struct UnknownStatus(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_name() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>(), Ok(status));
        }
        assert!("success ".parse::<Status>().is_err());
    }
}
