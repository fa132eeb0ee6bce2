//! Every field of every route that writes, with a value that nobody means: refused, and nothing
//! changes.

use axum::http::Method;
use serde_json::{Value, json};
use shipway_store::{EnvironmentState, NewEnvironment, Visibility};

use super::hostile::is_refusal;
use super::site::{ADMIN, Site};
use crate::clock::now;

/// What a route that writes is told, all of it, with values that it takes. A new route gets a
/// row here, or one in [`tells_nothing`].
pub(super) fn told(route: &str) -> Option<Value> {
    let variable = || {
        json!({ "key": "K", "value": "v", "variable_type": "env_var", "protected": true,
            "masked": false, "raw": false, "environment_scope": "*", "description": "d" })
    };
    let project = || {
        json!({ "name": "n", "path": "p", "description": "d", "visibility": "private",
            "build_timeout": 3600, "ci_config_path": "x.yml", "public_builds": true,
            "ci_default_git_depth": 5, "build_coverage_regex": "x", "public_jobs": true,
            "auto_cancel_pending_pipelines": "enabled", "build_git_strategy": "fetch",
            "keep_latest_artifact": true, "shared_runners_enabled": true,
            "merge_method": "ff", "squash_option": "never" })
    };
    let schedule = || {
        json!({ "description": "d", "ref": "main", "cron": "0 1 * * *", "cron_timezone": "UTC",
            "active": true, "inputs": [] })
    };
    let runner = || {
        json!({ "description": "d", "paused": true, "tag_list": ["a"], "run_untagged": true,
            "locked": false, "access_level": "not_protected", "maximum_timeout": 900,
            "maintenance_note": "n" })
    };
    let member = || json!({ "user_id": 1, "access_level": 30 });
    Some(match route {
        "POST /admin/ci/variables" | "PUT /admin/ci/variables/{key}" => without(
            // The instance has no environments.
            variable(),
            &["environment_scope", "key"],
        ),
        "POST /groups/{id}/variables" | "POST /projects/{id}/variables" => variable(),
        "PUT /groups/{id}/variables/{key}" | "PUT /projects/{id}/variables/{key}" => {
            with(without(variable(), &["key"]), "filter", json!({}))
        }
        "POST /groups" => json!({ "name": "n", "path": "p", "parent_id": 1 }),
        "POST /groups/{id}/members" | "POST /projects/{id}/members" => member(),
        "PUT /groups/{id}/members/{user_id}" | "PUT /projects/{id}/members/{user_id}" => {
            without(member(), &["user_id"])
        }
        "POST /projects" => with(project(), "namespace_id", json!(1)),
        "PUT /projects/{id}" => with(project(), "default_branch", json!("main")),
        "POST /projects/{id}/environments/{environment_id}/stop" => json!({ "force": true }),
        "POST /projects/{id}/ci/lint" => json!({ "content": "a: { script: b }", "ref": "main",
            "dry_run": false, "include_jobs": false }),
        "POST /projects/{id}/statuses/{sha}" => json!({ "state": "success", "name": "n",
            "ref": "main", "target_url": "https://example.com", "description": "d",
            "coverage": 1, "pipeline_id": 1 }),
        "POST /projects/{id}/merge_requests" => json!({ "source_branch": "feat/x",
            "target_branch": "main", "title": "t", "description": "d" }),
        "PUT /projects/{id}/merge_requests/{merge_request_iid}" => json!({ "title": "t",
            "description": "d", "state_event": "close" }),
        "PUT /projects/{id}/merge_requests/{merge_request_iid}/merge" => {
            json!({ "merge_commit_message": "m", "sha": "abc", "squash": true,
                "squash_commit_message": "s" })
        }
        "POST /projects/{id}/releases" => json!({ "tag_name": "r1", "ref": "main",
            "tag_message": "m", "name": "n", "description": "d", "milestones": [],
            "released_at": "2026-01-02", "assets": { "links": [] } }),
        "PUT /projects/{id}/releases/{tag}" => json!({ "name": "n", "description": "d",
            "milestones": [], "released_at": "2026-01-02" }),
        "POST /projects/{id}/releases/{tag}/assets/links"
        | "PUT /projects/{id}/releases/{tag}/assets/links/{link_id}" => json!({ "name": "n",
            "url": "https://example.com", "direct_asset_path": "/p", "filepath": "/p",
            "link_type": "other" }),
        "POST /projects/{id}/badges" | "PUT /projects/{id}/badges/{badge_id}" => json!({
            "name": "n", "link_url": "https://example.com", "image_url": "https://example.com" }),
        "POST /projects/{id}/jobs/{job_id}/cancel" => json!({ "force": true }),
        "POST /projects/{id}/jobs/{job_id}/play" => {
            json!({ "job_variables_attributes": [], "job_inputs": {} })
        }
        "POST /projects/{id}/jobs/{job_id}/retry" => json!({ "job_inputs": {} }),
        "POST /projects/{id}/pipeline" => json!({ "ref": "main", "variables": [], "inputs": {} }),
        "POST /projects/{id}/pipeline_schedules"
        | "PUT /projects/{id}/pipeline_schedules/{schedule_id}" => schedule(),
        "POST /projects/{id}/pipeline_schedules/{schedule_id}/variables" => {
            json!({ "key": "L", "value": "v", "variable_type": "env_var" })
        }
        "PUT /projects/{id}/pipeline_schedules/{schedule_id}/variables/{key}" => {
            json!({ "value": "v", "variable_type": "env_var" })
        }
        "POST /projects/{id}/protected_branches" => {
            json!({ "name": "x", "push_access_level": 40, "merge_access_level": 40,
                "allow_force_push": false })
        }
        "POST /projects/{id}/protected_tags" => json!({ "name": "x", "create_access_level": 40 }),
        "POST /projects/{id}/ref/{reference}/trigger/pipeline" => json!({ "token": "x" }),
        "POST /projects/{id}/trigger/pipeline" => {
            json!({ "token": "x", "ref": "main", "variables": {}, "inputs": {} })
        }
        "POST /projects/{id}/triggers" | "PUT /projects/{id}/triggers/{trigger_id}" => {
            json!({ "description": "d" })
        }
        "PUT /projects/{id}/resource_groups/{key}" => json!({ "process_mode": "oldest_first" }),
        "POST /projects/{id}/runners" => json!({ "runner_id": 1 }),
        "PUT /runners/{runner_id}" => with(runner(), "active", json!(false)),
        "POST /user/runners" => with(runner(), "runner_type", json!("instance_type")),
        "POST /users" => json!({ "username": "u", "name": "n", "email": "u@example.com",
            "password": "long enough", "admin": false, "reset_password": false,
            "force_random_password": false }),
        "PUT /users/{user_id}" => {
            json!({ "name": "n", "password": "long enough", "admin": false })
        }
        "POST /users/{user_id}/personal_access_tokens" => {
            json!({ "name": "n", "scopes": ["api"], "expires_at": "2099-01-01" })
        }
        _ => return None,
    })
}

/// Whether the address of a route says everything.
fn tells_nothing(route: &str) -> bool {
    let acts = [
        "artifacts/keep",
        "block",
        "cancel",
        "erase",
        "merge_requests/{merge_request_iid}/pipelines",
        "pipeline_schedules/{schedule_id}/play",
        "reset_authentication_token",
        "reset_registration_token",
        "retry",
        "take_ownership",
        "unblock",
    ];
    // What is sent is a file.
    let file = route.ends_with("/{*file}");
    file || route.starts_with("DELETE ")
        || acts.iter().any(|act| route.ends_with(&format!("/{act}")))
}

pub(super) fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    fields
}

fn without(mut fields: Value, names: &[&str]) -> Value {
    let map = fields.as_object_mut().unwrap();
    map.retain(|name, _| !names.contains(&name.as_str()));
    fields
}

/// A server where each part of an address has something to name.
pub(super) struct World {
    pub(super) site: Site,
    /// The parts of addresses in braces, in the order in which they are looked for.
    parts: Vec<(&'static str, String)>,
}

impl World {
    pub(super) async fn new() -> Self {
        let site = Site::new().await;
        let project = site.project("project", Visibility::Private).await;
        let pipeline = site.pipeline(&project).await;
        let job = site.job(&pipeline, "deploy").await;
        let environment = NewEnvironment {
            project_id: project.id,
            name: "production".to_owned(),
            slug: "production".to_owned(),
            tier: "production".to_owned(),
            external_url: None,
            state: EnvironmentState::Available,
            created_at: now(),
            auto_stop_at: None,
        };
        let mut transaction = site.app.store().begin().await.unwrap();
        let environment = transaction.ensure_environment(&environment).await.unwrap();
        let join = transaction.join_resource_group(job, project.id, "K", now());
        join.await.unwrap();
        transaction.commit().await.unwrap();

        let user = site.user("developer").await.id.0;
        let base = format!("/projects/{}", project.id);
        let group = format!("/groups/{}", project.namespace_id);
        let made = async |path: String, fields: Value| {
            let reply = site.post(ADMIN, &path, fields).await;
            assert!(reply.status.is_success(), "{path}: {}", reply.text());
            reply.json()["id"].to_string()
        };
        let variable = json!({ "key": "K", "value": "v" });
        for place in [&base, &group, "/admin/ci"] {
            made(format!("{place}/variables"), variable.clone()).await;
        }
        let member = json!({ "user_id": user, "access_level": 30 });
        made(format!("{group}/members"), member).await;
        let trigger = made(format!("{base}/triggers"), json!({ "description": "d" })).await;
        let schedule = json!({ "description": "d", "ref": "main", "cron": "0 1 * * *" });
        let schedule = made(format!("{base}/pipeline_schedules"), schedule).await;
        let variables = format!("{base}/pipeline_schedules/{schedule}/variables");
        made(variables, variable).await;
        let runner = json!({ "runner_type": "instance_type" });
        let runner = made("/user/runners".to_owned(), runner).await;
        let new = json!({ "source_branch": "feat/x", "target_branch": "main", "title": "t" });
        made(format!("{base}/merge_requests"), new).await;
        let release = json!({ "tag_name": "v1.0/rc" });
        made(format!("{base}/releases"), release).await;
        let link = json!({ "name": "l", "url": "https://example.com/l" });
        let links = format!("{base}/releases/v1.0%2Frc/assets/links");
        let link = made(links, link).await;
        let badge =
            json!({ "link_url": "https://example.com", "image_url": "https://example.com" });
        let badge = made(format!("{base}/badges"), badge).await;
        let parts = vec![
            ("/projects/{id}", base),
            ("/groups/{id}", group),
            ("{merge_request_iid}", "1".to_owned()),
            ("{badge_id}", badge),
            ("{job_id}", job.to_string()),
            ("{link_id}", link),
            ("{tag}", "v1.0%2Frc".to_owned()),
            ("{environment_id}", environment.id.to_string()),
            ("{key}", "K".to_owned()),
            ("{reference}", "main".to_owned()),
            ("{runner_id}", runner),
            ("{schedule_id}", schedule),
            ("{sha}", pipeline.sha.unwrap()),
            ("{trigger_id}", trigger),
            ("{user_id}", user.to_string()),
        ];
        Self { site, parts }
    }

    /// The address with what has a name here put in.
    pub(super) fn known(&self, path: &str) -> String {
        (self.parts.iter()).fold(path.to_owned(), |address, (part, value)| {
            address.replace(part, value)
        })
    }

    pub(super) fn address(&self, path: &str) -> String {
        let address = self.known(path);
        assert!(!address.contains('{'), "{address}: name an id in World");
        address
    }
}

#[tokio::test]
async fn every_field_of_every_route_that_writes() {
    let world = World::new().await;
    let site = &world.site;
    let before = site.everything().await;
    let poisons = [
        json!({ "a": { "b": 1 } }),
        json!([{ "a": 1 }]),
        json!("a\u{0}b"),
        json!("x".repeat(1024 * 1024)),
    ];
    let writes = crate::rest::all().into_table().into_iter();
    for endpoint in writes.filter(|row| row.method != Method::GET) {
        let route = format!("{} {}", endpoint.method, endpoint.path);
        let Some(fields) = told(&route) else {
            assert!(tells_nothing(&route), "{route}: what may it be told?");
            continue;
        };
        let address = world.address(endpoint.path);
        for field in fields.as_object().unwrap().keys() {
            let mut bodies: Vec<(&str, Vec<u8>)> = Vec::new();
            for poison in &poisons {
                // An object is the right shape of an object.
                if poison.is_object() && fields[field].is_object() {
                    continue;
                }
                // Any text may be checked; the answer says what is wrong with it.
                if field == "content" && poison.is_string() {
                    continue;
                }
                let body = with(fields.clone(), field, poison.clone()).to_string();
                bodies.push(("application/json", body.into_bytes()));
            }
            let form = format!("{field}=%ff").into_bytes();
            bodies.push(("application/x-www-form-urlencoded", form));
            for (kind, body) in bodies {
                let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                let method = endpoint.method.clone();
                let reply = site.ask(Some(ADMIN), method, &address, Some((kind, body)));
                let reply = reply.await;
                assert!(
                    is_refusal(&reply),
                    "{route} {field}: {shown}: {} {}",
                    reply.status,
                    reply.text()
                );
            }
        }
        assert_eq!(site.everything().await, before, "{route}");
    }
}

#[tokio::test]
async fn a_refused_password_refuses_the_whole_change() {
    let world = World::new().await;
    let before = world.site.everything().await;
    let path = world.address("/users/{user_id}");
    let fields = json!({ "name": "n", "admin": true, "password": "short" });
    let reply = world.site.json(ADMIN, Method::PUT, &path, fields).await;
    assert!(is_refusal(&reply), "{}", reply.text());
    assert_eq!(world.site.everything().await, before);
}
