#!/usr/bin/env bash
# Runners and clients that others wrote, unmodified, work with a server.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../support/server.sh"

# need_python_packages NAME PACKAGE…: a virtual environment that later runs find again; sets PYTHON.
need_python_packages() {
  local home=$ROOT/target/test/venv-$1
  shift
  PYTHON=$home/bin/python
  "$PYTHON" -c '' 2>/dev/null && [[ -f $home/complete ]] && return
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "$@" >"$OUTPUT" 2>&1 ||
    skip "these packages cannot be had from the Python package index: $*"
  touch "$home/complete"
}

# need_client NAME builds the project of tests/clients/NAME; sets CLIENT, its program.
need_client() {
  local manifest=$ROOT/tests/clients/$1/Cargo.toml target=${CARGO_TARGET_DIR:-$ROOT/target}/clients
  cargo fetch --quiet --locked --manifest-path "$manifest" >"$OUTPUT" 2>&1 ||
    skip "the crates of tests/clients/$1 cannot be had from the Rust registry"
  cargo build --quiet --locked --manifest-path "$manifest" --target-dir "$target" >"$OUTPUT" 2>&1 ||
    fail "tests/clients/$1 cannot be built"
  CLIENT=$target/debug/$1-client
}

registration_token() {
  ask POST /api/v4/runners/reset_registration_token | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'
}

test_gitlab_python_runner_runs_a_job() {
  need_python_packages python-runner gitlab-python-runner gitlab-emulator==1.4.0
  start_server --runner none
  new_project <<'END'
test:
  tags: [python-runner]
  script:
    - echo "from the $GREETING"
    - mkdir out
    - echo content > out/file
  variables: {GREETING: variables}
  artifacts: {paths: [out/]}
END
  push_project root/app
  mkdir "$SANDBOX/runner" && cd "$SANDBOX/runner"
  "$PYTHON" -m GitlabPyRunner --register "$SERVER" --regtoken "$(registration_token)" \
    --desc other --tag python-runner --shell /bin/bash >"$OUTPUT" 2>&1 || fail "it cannot be registered"
  timeout 120 "$PYTHON" -m GitlabPyRunner --start gitlab-runner.yml --once >"$OUTPUT" 2>&1 ||
    fail "it did not run the job: $(ask GET "/api/v4$(project root/app)/jobs/1/trace")"
  expect_api "$(project root/app)/jobs" "[job['status'] for job in it] == ['success']"
  ask GET "/api/v4$(project root/app)/jobs/1/trace" >"$SANDBOX/trace"
  expect_file "$SANDBOX/trace" "from the variables"
  ask GET "/api/v4$(project root/app)/jobs/1/artifacts/out/file" >"$SANDBOX/file"
  expect_file "$SANDBOX/file" "^content$"
  "$PYTHON" -m GitlabPyRunner --unregister >"$OUTPUT" 2>&1 || fail "it cannot be taken away"
  expect_api /runners/all "it == []"
}

test_gitlab_runner_api_runs_a_job() {
  need_python_packages runner-api gitlab-runner-api
  start_server --runner none
  new_project <<'END'
test:
  script: [make]
END
  push_project root/app
  "$PYTHON" - "$SERVER" "$(registration_token)" >"$OUTPUT" 2>&1 <<'END' || fail "it did not run the job"
import sys
import time

from gitlab_runner_api import Runner

server, token = sys.argv[1:]
runner = Runner.register(server, token, description="other", run_untagged=True, tags=["a", "b"])
runner.check_auth()
for _ in range(60):
    job = runner.request_job()
    if job is not None:
        break
    time.sleep(0.5)
assert job.name == "test" and job.script == ["make"], (job.name, job.script)
assert job.project_path == "root/app" and job.ref == "main"
job.log += "first line\n"
job.auth()
job.log += "second line\n"
job.set_success()
END
  expect_api "$(project root/app)/jobs" "[job['status'] for job in it] == ['success']"
  ask GET "/api/v4$(project root/app)/jobs/1/trace" >"$SANDBOX/trace"
  expect_file "$SANDBOX/trace" "second line"
}

# The log of the newest job of this name goes to $SANDBOX/trace.
trace_of() {
  local path
  path=$(project "$1")/jobs
  ask GET "/api/v4$path/$(api "$path" "[job['id'] for job in it if job['name'] == '$2'][0]")/trace" >"$SANDBOX/trace"
}

test_the_crate_gitlab_runner_runs_jobs() {
  need_client gitlab-runner
  start_server --runner none
  new_project <<'END'
stages: [build, test]
build:
  stage: build
  script:
    - echo "it says $GREETING"
    - mkdir -p out/deep
    - echo content > out/deep/file
    - echo other > left-behind
  after_script:
    - echo "after the build"
  artifacts: {paths: [out/]}
  variables: {GREETING: hello}
test:
  stage: test
  script:
    - cat out/deep/file
    - test ! -e left-behind
fails:
  stage: test
  allow_failure: true
  script:
    - echo "before the end"; exit 3
END
  push_project root/app
  local token jobs
  jobs=$(project root/app)/jobs
  token=$(ask POST /api/v4/user/runners '{"runner_type": "instance_type", "run_untagged": true}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
  timeout 120 "$CLIENT" "$SERVER" "$token" 3 >"$OUTPUT" 2>&1 || fail "it did not run three jobs"
  expect_api "$jobs" "sorted((job['name'], job['status']) for job in it) == [
    ('build', 'success'), ('fails', 'failed'), ('test', 'success')]"
  expect_api "$(project root/app)/pipelines" "[one['status'] for one in it] == ['success']"
  trace_of root/app build
  expect_file "$SANDBOX/trace" "^it says hello"
  expect_file "$SANDBOX/trace" "^after the build"
  trace_of root/app test
  expect_file "$SANDBOX/trace" "^content"
  trace_of root/app fails
  expect_file "$SANDBOX/trace" "^before the end"
  ask GET "/api/v4$jobs/artifacts/main/raw/out/deep/file?job=build" >"$SANDBOX/file"
  expect_file "$SANDBOX/file" "^content$"

  # It reads in an answer to its log that the job was cancelled.
  echo 'long: {script: [sleep 300]}' >.gitlab-ci.yml
  git commit --quiet --all --message "Take long"
  push_project root/app
  timeout 120 "$CLIENT" "$SERVER" "$token" 1 >"$OUTPUT" 2>&1 &
  local client=$!
  at_exit "stop_process $client"
  await_api 60 "$jobs" "it[0]['status'] == 'running'"
  ask POST "/api/v4$(project root/app)/jobs/$(api "$jobs" "it[0]['id']")/cancel" >/dev/null
  wait "$client" || fail "it did not end when its job was cancelled"
  expect_api "$jobs" "it[0]['status'] == 'canceled'"
}

test_python_gitlab_uses_the_api() {
  need_python_packages python-gitlab python-gitlab
  start_server --runner none
  new_project <<'END'
test:
  tags: [ours]
  script:
    - echo "what the client reads"
    - mkdir out
    - echo content > out/file
  artifacts: {paths: [out/]}
END
  push_project root/app
  start_runner ours ours --executor shell
  await_pipeline_of root/app success 120
  "$PYTHON" - "$SERVER" "$ROOT_TOKEN" >"$OUTPUT" 2>&1 <<'END' || fail "the client did not get what it asked for"
import sys
import time

import gitlab

server, token = sys.argv[1:]
api = gitlab.Gitlab(server, private_token=token)
api.auth()
assert api.user.username == "root"
assert [one.path_with_namespace for one in api.projects.list(get_all=True)] == ["root/app"]
project = api.projects.get("root/app")
pipelines = project.pipelines.list(get_all=True)
assert [one.status for one in pipelines] == ["success"]
listed = pipelines[0].jobs.list(get_all=True)
assert [one.name for one in listed] == ["test"] == [one.name for one in project.jobs.list(get_all=True)]
job = project.jobs.get(listed[0].id)
assert b"what the client reads" in job.trace()
assert job.artifact("out/file") == b"content\n"
assert job.artifacts()[:2] == b"PK"

job.retry()
newer = project.jobs.list(get_all=True)[0]
assert newer.id != job.id
for _ in range(240):
    newer = project.jobs.get(newer.id)
    if newer.status == "success":
        break
    time.sleep(0.5)
assert newer.status == "success", newer.status

assert [one["path"] for one in project.repository_tree(recursive=True, get_all=True)] == [".gitlab-ci.yml"]
file = project.files.get(".gitlab-ci.yml", ref="main")
assert file.decode().startswith(b"test:") and file.last_commit_id == pipelines[0].sha
assert project.repository_archive(format="zip")[:2] == b"PK"
compared = project.repository_compare("main", pipelines[0].sha)
assert compared["compare_same_ref"] and compared["diffs"] == []
assert project.ci_lint.get().valid
linted = project.ci_lint.create({"content": "a: {script: make}", "dry_run": True, "include_jobs": True})
assert [one["name"] for one in linted.jobs] == ["a"] and linted.merged_yaml.startswith("---")
commit = project.commits.get("main")
commit.statuses.create({"state": "success", "name": "other"})
assert {one.name for one in commit.statuses.list(get_all=True)} == {"test", "other"}
assert pipelines[0].test_report.get().total_count == 0

project.variables.create({"key": "GREETING", "value": "hello", "environment_scope": "production"})
variable = project.variables.get("GREETING")
assert (variable.value, variable.environment_scope) == ("hello", "production")
variable.delete()
assert project.variables.list(get_all=True) == []

trigger = project.triggers.create({"description": "from a client"})
started = project.trigger_pipeline("main", trigger.token)
assert started.source == "trigger" and started.ref == "main"
trigger.delete()
assert project.triggers.list(get_all=True) == []

release = project.releases.create({
    "tag_name": "v1.0", "ref": "main", "name": "First", "description": "notes",
    "assets": {"links": [{"name": "app", "url": "https://example.com/app"}]},
})
assert release.commit["id"] == pipelines[0].sha and release.assets["count"] == 5
assert project.tags.get("v1.0").release["description"] == "notes"
release.links.create({"name": "docs", "url": "https://example.com/docs", "link_type": "runbook"})
assert [one.name for one in release.links.list(get_all=True)] == ["docs", "app"]
release.name = "Renamed"
release.save()
assert [one.name for one in project.releases.list(get_all=True)] == ["Renamed"]

with open("file.bin", "wb") as file:
    file.write(b"bytes " * 1000000)
project.generic_packages.upload("app", "1.0", "file.bin", path="file.bin")
assert project.generic_packages.download("app", "1.0", "file.bin") == b"bytes " * 1000000
package = project.packages.list(get_all=True)[0]
assert (package.name, package.version, package.package_type) == ("app", "1.0", "generic")
file = package.package_files.list(get_all=True)[0]
assert (file.file_name, file.size) == ("file.bin", 6000000)
file.delete()
package.delete()
assert project.packages.list(get_all=True) == []

badge = project.badges.create({"link_url": "https://example.com/%{project_path}", "image_url": "https://example.com/a.svg"})
assert badge.rendered_link_url == "https://example.com/root/app"
badge.delete()

try:
    project.pipelines.get(999999)
except gitlab.exceptions.GitlabGetError as error:
    assert error.response_code == 404
else:
    raise AssertionError("a pipeline that is not there was found")
END
}

test_a_job_makes_a_release() {
  command -v curl >/dev/null || skip "curl is not installed"
  start_server --runner none
  new_project <<'END'
release:
  tags: [ours]
  rules: [{if: '$CI_COMMIT_BRANCH'}]
  script:
    - echo "what is new" > notes.md
    - echo content > file
    - 'curl --silent --fail --header "JOB-TOKEN: $CI_JOB_TOKEN" --upload-file file "$CI_API_V4_URL/projects/$CI_PROJECT_ID/packages/generic/app/1.0/file"'
  release:
    tag_name: v1.0-$CI_PIPELINE_SOURCE
    name: 'A "quoted" name'
    description: notes.md
    assets: {links: [{name: file, url: '$CI_API_V4_URL/projects/$CI_PROJECT_ID/packages/generic/app/1.0/file', filepath: /file}]}
END
  push_project root/app
  start_runner ours ours --executor shell
  await_pipeline_of root/app success 120
  expect_api "$(project root/app)/releases/v1.0-push" \
    "(it['name'], it['description'], it['author']['username']) == ('A \"quoted\" name', 'what is new\n', 'root')"
  expect_api "$(project root/app)/repository/tags/v1.0-push" "it['name'] == 'v1.0-push'"
  ask GET "/api/v4$(project root/app)/packages/generic/app/1.0/file" >"$SANDBOX/file"
  expect_file "$SANDBOX/file" "^content$"
  # One that is there makes the job fail.
  git commit --quiet --allow-empty --message again
  push_project root/app
  await_pipeline_of root/app failed 120
}

run_e2e "$@"
