//! `dast_configuration`.

use super::place::{Keys, Place};
use crate::DastConfiguration;
use crate::yaml::Node;

/// `dast_configuration`
pub(crate) fn dast_configuration(node: &Node, at: &Place<'_>) -> Option<DastConfiguration> {
    const KEYS: Keys = Keys {
        known: &["site_profile", "scanner_profile"],
        later: &[],
    };
    let map = at.map(node, &KEYS)?;
    Some(DastConfiguration {
        site_profile: at.text(map, "site_profile"),
        scanner_profile: at.text(map, "scanner_profile"),
    })
}
