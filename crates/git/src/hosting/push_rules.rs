//! Which refs may move, decided before git has the new objects.

use super::hook;
use super::push_options::PushOptions;
use super::push_request::RefUpdate;
use super::ref_name;

/// In which way a ref moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It did not exist.
    Create,
    /// It will not exist.
    Delete,
    /// The old commit is among the ancestors of the new one.
    FastForward,
    /// Commits are lost from the ref.
    Force,
}

/// A push that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// The refs that moved, in the client's order; at least one.
    pub updates: Vec<RefUpdate>,
    /// What the pusher asked for beside.
    pub options: PushOptions,
}

/// What a face says about one push by one user.
pub trait PushRules: Send + Sync + 'static {
    /// Whether the ref may move in this way; the error is shown to the pusher.
    ///
    /// Depends on the arguments alone and touches nothing: an update is asked about as
    /// [`Change::FastForward`] and as [`Change::Force`] before anybody knows which it is.
    /// Refs that are neither branches nor tags, malformed names and the deletion of the
    /// default branch are refused before.
    ///
    /// # Errors
    ///
    /// The reason, in a sentence.
    fn pre_receive(&self, update: &RefUpdate, change: Change) -> Result<(), String>;

    /// Called once after refs moved. The lines are shown to the pusher, after `remote: `.
    fn post_receive(&self, push: Push) -> impl Future<Output = Vec<String>> + Send;
}

/// What may only move forward, in the form that the hook reads; or all reasons against the push.
pub(super) fn judge(
    updates: &[RefUpdate],
    default_branch: Option<&str>,
    rules: &impl PushRules,
) -> Result<String, Vec<String>> {
    let mut forward_only = String::new();
    let mut reasons = Vec::new();
    for update in updates {
        let judged = match (ref_name::refusal(&update.name), &update.old, &update.new) {
            (Some(reason), ..) => Err(reason),
            (None, _, None) if update.branch().is_some() && update.branch() == default_branch => {
                Err("The default branch of a project cannot be deleted.".to_owned())
            }
            (None, _, None) => rules.pre_receive(update, Change::Delete),
            (None, None, Some(_)) => rules.pre_receive(update, Change::Create),
            (None, Some(old), Some(new)) => {
                let forward = rules.pre_receive(update, Change::FastForward);
                if let (Ok(()), Err(reason)) = (&forward, rules.pre_receive(update, Change::Force))
                {
                    // The hook reads lines of words, and so does the client.
                    let text = reason.replace(|c: char| c.is_control(), " ");
                    forward_only.push_str(&format!("{old} {new} {text}\n"));
                }
                forward
            }
        };
        if let Err(reason) = judged
            && !reasons.contains(&reason)
        {
            reasons.push(reason);
        }
    }
    if forward_only.len() > hook::LONGEST_LIST {
        reasons
            .push("The push moves too many protected refs at once; push them in parts.".to_owned());
    }
    match reasons.is_empty() {
        true => Ok(forward_only),
        false => Err(reasons),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// `closed` takes nothing, `forward` only moves forward, `kept` is not deleted.
    struct Rules;

    impl PushRules for Rules {
        fn pre_receive(&self, update: &RefUpdate, change: Change) -> Result<(), String> {
            match (update.branch(), change) {
                (Some("closed"), _) => Err("closed".to_owned()),
                (Some("forward"), Change::Force) => Err("only\nforward".to_owned()),
                (Some("kept"), Change::Delete) => Err("kept".to_owned()),
                _ => Ok(()),
            }
        }

        async fn post_receive(&self, _: Push) -> Vec<String> {
            Vec::new()
        }
    }

    fn update(name: &str, old: Option<&str>, new: Option<&str>) -> RefUpdate {
        RefUpdate {
            name: name.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        }
    }

    #[test]
    fn judgements() {
        let deleted = "The default branch of a project cannot be deleted.";
        let outside = "Only branches and tags can be pushed, not `refs/x`.";
        let forward = format!("{A} {B} only forward\n");
        let made = |name| update(name, None, Some(B));
        let moved = |name| update(name, Some(A), Some(B));
        let gone = |name| update(name, Some(A), None);
        for (updates, expected) in [
            (vec![made("refs/heads/a"), moved("refs/heads/b")], Ok("")),
            (vec![made("refs/heads/forward")], Ok("")),
            (vec![gone("refs/heads/forward")], Ok("")),
            (vec![moved("refs/heads/forward")], Ok(&*forward)),
            (
                vec![moved("refs/heads/a"), moved("refs/heads/closed")],
                Err(vec!["closed"]),
            ),
            (vec![made("refs/heads/closed")], Err(vec!["closed"])),
            (vec![gone("refs/heads/kept")], Err(vec!["kept"])),
            (vec![gone("refs/heads/main")], Err(vec![deleted])),
            (vec![gone("refs/tags/main")], Ok("")),
            (vec![made("refs/x")], Err(vec![outside])),
            (
                vec![
                    gone("refs/heads/main"),
                    made("refs/x"),
                    moved("refs/heads/forward"),
                ],
                Err(vec![deleted, outside]),
            ),
        ] {
            let judged = judge(&updates, Some("main"), &Rules);
            let judged = judged.as_deref().map_err(Clone::clone);
            let expected = expected.map_err(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(judged, expected, "{updates:?}");
        }
    }

    #[test]
    fn the_list_for_the_hook_is_limited() {
        struct Forward;
        impl PushRules for Forward {
            fn pre_receive(&self, _: &RefUpdate, change: Change) -> Result<(), String> {
                match change {
                    Change::Force => Err("forward".to_owned()),
                    _ => Ok(()),
                }
            }

            async fn post_receive(&self, _: Push) -> Vec<String> {
                Vec::new()
            }
        }
        let update = |index| update(&format!("refs/heads/{index}"), Some(A), Some(B));
        let many: Vec<_> = (0..2_000).map(update).collect();
        assert!(judge(&many[..1_000], None, &Forward).is_ok());
        let refused = judge(&many, None, &Forward).expect_err("too many");
        assert!(
            refused[0].contains("too many protected refs"),
            "{refused:?}"
        );
    }
}
