//! `environment:kubernetes`.

use super::place::{Keys, Place};
use super::values::value;
use crate::yaml::Node;
use crate::{Dashboard, Kubernetes};

const KEYS: Keys = Keys {
    known: &[
        "agent",
        "namespace",
        "flux_resource_path",
        "dashboard",
        "managed_resources",
    ],
    later: &[],
};

const DASHBOARD: Keys = Keys {
    known: &["namespace", "flux_resource_path"],
    later: &[],
};

const MANAGED: Keys = Keys {
    known: &["enabled"],
    later: &[],
};

/// `environment:kubernetes`
pub(crate) fn kubernetes(node: &Node, at: &Place<'_>) -> Option<Kubernetes> {
    let map = at.map(node, &KEYS)?;
    if map.is_empty() {
        at.config(node, "can't be blank");
        return None;
    }
    let agent = at.text(map, "agent");
    // These two stood here before there was a dashboard.
    let mut dashboard = Dashboard {
        namespace: at.text(map, "namespace"),
        flux_resource_path: at.text(map, "flux_resource_path"),
    };
    if dashboard.flux_resource_path.is_some() && dashboard.namespace.is_none() {
        at.attribute(node, "namespace", "can't be blank");
    }
    let place = at.key("dashboard");
    if let Some(inner) = value(map, "dashboard").and_then(|node| place.map(node, &DASHBOARD)) {
        for key in DASHBOARD.known {
            if value(inner, key).is_some()
                && let Some(node) = value(map, key)
            {
                let reason = format!("cannot be specified when dashboard.{key} is set");
                at.attribute(node, key, &reason);
            }
        }
        dashboard.namespace = place.text(inner, "namespace").or(dashboard.namespace);
        dashboard.flux_resource_path = place
            .text(inner, "flux_resource_path")
            .or(dashboard.flux_resource_path);
    }
    let place = at.key("managed_resources");
    let managed_resources = value(map, "managed_resources")
        .and_then(|node| place.map(node, &MANAGED))
        .and_then(|map| place.boolean(map, "enabled"));
    let needs_agent = value(map, "dashboard").is_some()
        || value(map, "flux_resource_path").is_some()
        || managed_resources == Some(true);
    if agent.is_none() && needs_agent {
        at.attribute(node, "agent", "can't be blank");
    }
    Some(Kubernetes {
        agent,
        dashboard,
        managed_resources,
    })
}
