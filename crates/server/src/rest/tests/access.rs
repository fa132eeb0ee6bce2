//! Every route under every role, against the table of permissions.

use axum::http::{Method, StatusCode};
use shipway_store::Visibility;

use super::site::{ADMIN, PEOPLE, Site};
use crate::access::visibility;
use crate::permission::{Role, Viewer, allowed, hides};
use crate::rest::routes::{Access, Endpoint};

/// An id that nothing has.
const NOTHING: &str = "999999999";

/// The route's address for a project or group, with nothing else in it that exists: whoever is
/// let in changes nothing.
fn address(endpoint: &Endpoint, id: &str) -> String {
    let mut address = String::new();
    for part in endpoint.path.split('/').skip(1) {
        address.push('/');
        address.push_str(match part {
            "{id}" => id,
            part if part.starts_with('{') => NOTHING,
            part => part,
        });
    }
    address
}

/// These do something without a body or another id; who may is tested by their own tests.
fn acts_at_once(endpoint: &Endpoint) -> bool {
    endpoint.method != Method::GET
        && (endpoint.path.ends_with("/{id}")
            || endpoint.path.ends_with("/artifacts")
            || endpoint.path.ends_with("/{*file}")
            || endpoint.path.ends_with("reset_registration_token"))
}

#[test]
fn the_table_of_routes() {
    let mut rows: Vec<String> = (crate::rest::all().into_table().iter())
        .map(|row| format!("{:6} {:75} {:?}", row.method.as_str(), row.path, row.access))
        .collect();
    rows.sort_by_key(|row| row[7..].to_owned());
    insta::assert_snapshot!(rows.join("\n"));
}

#[tokio::test]
async fn every_route_under_every_role() {
    let site = Site::new().await;
    let table = crate::rest::all().into_table();
    let viewers = [(None, Viewer::Anonymous)]
        .into_iter()
        .chain(PEOPLE.map(|(name, role)| (Some(name), Viewer::User { role, admin: false })))
        .chain([(
            Some(ADMIN),
            Viewer::User {
                role: None,
                admin: true,
            },
        )]);
    let viewers: Vec<(Option<&str>, Viewer)> = viewers.collect();
    for (name, wanted) in [
        ("private", Visibility::Private),
        ("internal", Visibility::Internal),
        ("public", Visibility::Public),
    ] {
        let project = site.project(name, wanted).await;
        site.pipeline(&project).await;
        let seen = visibility(&project);
        for endpoint in &table {
            let action = match endpoint.access {
                Access::Project(action) | Access::ProjectOrJob(action) => action,
                _ => continue,
            };
            let path = address(endpoint, &project.id.to_string());
            for (who, viewer) in &viewers {
                let lets_in = allowed(*viewer, seen, action);
                if lets_in && acts_at_once(endpoint) {
                    continue;
                }
                let reply = site.ask(*who, endpoint.method.clone(), &path, None).await;
                let what = format!(
                    "{who:?} {name} {} {path}: {}",
                    endpoint.method,
                    reply.text()
                );
                let project_hidden = reply.text().contains("404 Project Not Found");
                match (hides(*viewer, seen), lets_in) {
                    (true, _) => assert!(project_hidden, "{what}"),
                    (false, true) => {
                        assert_ne!(reply.status, StatusCode::UNAUTHORIZED, "{what}");
                        assert!(!project_hidden, "{what}");
                        assert!(!reply.status.is_server_error(), "{what}");
                        assert_ne!(reply.text(), r#"{"message":"403 Forbidden"}"#, "{what}");
                    }
                    (false, false) => assert_eq!(
                        reply.status,
                        match who {
                            None => StatusCode::UNAUTHORIZED,
                            Some(_) => StatusCode::FORBIDDEN,
                        },
                        "{what}"
                    ),
                }
            }
        }
    }
}

#[tokio::test]
async fn routes_of_the_instance_and_of_groups() {
    let site = Site::new().await;
    site.project("private", Visibility::Private).await;
    let outsider = Some("stranger");
    let hidden = "404 Group Not Found";
    for endpoint in &crate::rest::all().into_table() {
        let path = address(endpoint, "group");
        let ask = |who| site.ask(who, endpoint.method.clone(), &path, None);
        let (nobody, stranger) = (ask(None).await, ask(outsider).await);
        let what = format!("{} {path}", endpoint.method);
        assert!(!stranger.status.is_server_error(), "{what}");
        match endpoint.access {
            Access::SignedIn => {
                assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{what}");
                assert_ne!(stranger.status, StatusCode::UNAUTHORIZED, "{what}");
            }
            Access::Administrator => {
                assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{what}");
                assert_eq!(stranger.status, StatusCode::FORBIDDEN, "{what}");
                if !acts_at_once(endpoint) {
                    let boss = ask(Some(ADMIN)).await;
                    assert_ne!(boss.status, StatusCode::FORBIDDEN, "{what}");
                }
            }
            Access::Group(least) => {
                for reply in [nobody, stranger] {
                    assert_eq!(reply.status, StatusCode::NOT_FOUND, "{what}");
                    assert!(reply.text().contains(hidden), "{what}");
                }
                // A member of a project sees its group, and is nobody in it.
                let member = ask(Some("guest")).await;
                match least {
                    None => assert!(!member.text().contains(hidden), "{what}"),
                    Some(Role::Guest) => unreachable!("nothing is for guests of groups"),
                    Some(_) => assert_eq!(member.status, StatusCode::FORBIDDEN, "{what}"),
                }
            }
            Access::Everybody | Access::Project(_) | Access::ProjectOrJob(_) => {}
        }
    }
}
