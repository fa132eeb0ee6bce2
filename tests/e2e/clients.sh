#!/usr/bin/env bash
# Runners that others wrote, unmodified, run jobs of a server.
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

run_e2e "$@"
