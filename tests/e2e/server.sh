#!/usr/bin/env bash
# `shipway serve` from the first start to what is deployed, with real parts: git, runners in
# a shell and in containers, a registry, an ssh server.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../support/sshd.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../support/server.sh"

# The newest pipeline of a Python project is green, and everything says 100 %.
expect_full_coverage() {
  local path id
  path=$(project "$1")
  id=$(api "$path/pipelines" "it[0]['id']")
  expect_api "$path/pipelines/$id" "float(it['coverage']) == 100"
  expect_api "$path/pipelines/$id/jobs" "[job['coverage'] for job in it if job['name'] == 'test'] == [100.0]"
  ask GET "/$1/badges/main/coverage.svg" | grep -q "100" || fail "the badge shows another coverage"
  ask GET "/$1/badges/main/pipeline.svg" | grep -q "passed" || fail "the badge shows another status"
}

test_the_demo_is_green_with_its_coverage() {
  start_server --demo --runner shell
  await_api 60 /projects "len(it) == 2"
  await_api 30 "$(project root/python-stack)/pipelines" "it"
  await_api 30 "$(project root/flask-deploy)/pipelines" "it"
  await_pipeline_of root/python-stack success 180
  await_pipeline_of root/flask-deploy success 180
  expect_full_coverage root/python-stack
  ask GET "/api/v4$(project root/python-stack)/jobs/artifacts/main/raw/coverage/index.html?job=test" \
    >"$SANDBOX/report.html"
  expect_file "$SANDBOX/report.html" "<title>Coverage report"
  expect_api "$(project root/flask-deploy)/environments" "[one['name'] for one in it] == ['production']"
}

test_a_registered_runner_runs_a_container_from_a_registry() {
  need_engine
  start_server --runner none
  copy_example python-stack
  cp .gitlab-ci.container.yml .gitlab-ci.yml
  sed -i "s|localhost:5000/|$SHIPWAY_TEST_REGISTRY/|" .gitlab-ci.yml
  git commit --quiet --all --message "Run in a container"
  local image=$SHIPWAY_TEST_REGISTRY/python-pytest:3
  "$SUPPORT/python-image.sh" "$image"
  at_exit "docker rmi '$image' >/dev/null 2>&1"
  push_project root/stack
  start_runner containers python,docker --executor docker --docker-image "$image"
  await_pipeline_of root/stack success 180
  expect_full_coverage root/stack
}

push_flask() {
  copy_example flask-deploy
  cp .gitlab-ci.ssh.yml .gitlab-ci.yml
  git commit --quiet --all --message "Deploy over ssh"
}

test_deploys_over_ssh_only_after_green_tests() {
  start_sshd "$SANDBOX/sshd"
  mkdir "$SANDBOX/host"
  start_server --runner none
  start_runner here python,deploy --executor shell
  push_flask
  echo 'def test_that_fails(): assert 1 + 1 == 3' >tests/broken_test.py
  git add --all && git commit --quiet --message "Break a test"
  # The project exists before its variables do, and its first pipeline has no jobs.
  git commit --quiet --allow-empty --message "First [skip ci]"
  push_project root/site
  local key value
  while read -r key value; do
    ask POST "/api/v4$(project root/site)/variables" "{\"key\": \"$key\", \"value\": \"$value\"}" >/dev/null
  done <<END
DEPLOY_HOST 127.0.0.1
DEPLOY_PORT $SSHD_PORT
DEPLOY_USER $(id -un)
DEPLOY_KEY $SSHD_KEY
DEPLOY_KNOWN_HOSTS $SSHD_KNOWN_HOSTS
DEPLOY_DIR $SANDBOX/host/current
END
  git commit --quiet --allow-empty --message "Try"
  push_project root/site
  await_pipeline_of root/site failed 180
  expect_absent "$SANDBOX/host/current"

  git rm --quiet tests/broken_test.py
  git commit --quiet --message "Mend it"
  push_project root/site
  await_pipeline_of root/site success 180
  diff -r app "$SANDBOX/host/current/app" || fail "the deployed application is another one"
}

test_a_job_that_nobody_can_take_says_so() {
  start_server --runner none
  start_runner here python --executor shell
  new_project <<'END'
build:
  tags: [mainframe]
  script: [make]
END
  push_project root/old
  await_api 20 "$(project root/old)/jobs" "it and it[0]['status'] == 'pending'"
  local id
  id=$(api "$(project root/old)/jobs" "it[0]['id']")
  ask GET "/root/old/-/jobs/$id" >"$SANDBOX/page.html"
  expect_file "$SANDBOX/page.html" "mainframe"
  expect_file "$SANDBOX/page.html" "[Nn]o runner|no active runner|none of .* runners|stuck"
}

test_a_person_follows_a_job_in_a_browser() {
  command -v chromedriver >/dev/null || skip "chromedriver is not installed (packages chromium, chromium-driver)"
  start_server --runner shell
  new_project <<'END'
test:
  script:
    - for n in $(seq 60); do echo "line $n"; sleep 0.2; done
    - mkdir coverage
    - echo "<title>Coverage report</title><h1>Coverage report 100%</h1>" > coverage/index.html
    - echo "TOTAL 12 0 100%"
  coverage: '/TOTAL.*\s+(\d+%)$/'
  artifacts: {paths: [coverage/]}
END
  push_project root/seen
  python3 "$SUPPORT/journey.py" "$SERVER" root/seen correct-horse-battery ||
    { tail -30 "$SERVER_LOG"; fail "the journey ended early"; }
}

log_of_first_job_has() {
  ask GET "/api/v4$(project "$1")/jobs/1/trace" 2>/dev/null | grep -q "$2"
}

test_a_server_that_is_killed_goes_on() {
  start_server --runner none
  start_runner here "" --executor shell
  new_project <<'END'
slow:
  script:
    - for n in $(seq 40); do echo "line $n"; sleep 0.2; done
END
  push_project root/slow
  # Not while it fetches its sources: that is tried once, as on GitLab.
  wait_until 60 log_of_first_job_has root/slow "^line 1"
  kill -KILL "$SERVER_PID"
  wait_until 10 process_gone "$SERVER_PID"
  resume_server
  await_pipeline_of root/slow success 90
  local id
  id=$(api "$(project root/slow)/jobs" "it[0]['id']")
  ask GET "/api/v4$(project root/slow)/jobs/$id/trace" >"$SANDBOX/trace"
  [[ $(grep -c '^line [0-9]*' "$SANDBOX/trace") == 40 ]] || fail "lines of the log are missing: $(cat "$SANDBOX/trace")"
}

test_a_backup_is_a_server_again() {
  start_server --runner shell
  new_project <<'END'
build:
  script: [echo built > file]
  artifacts: {paths: [file]}
END
  push_project root/app
  await_pipeline_of root/app success 60
  shipway admin --data "$SERVER_DATA" backup "$SANDBOX/backup"
  expect_status 0
  expect_output "1 repositories, 1 logs"
  stop_process "$SERVER_PID"

  shipway admin --data "$SANDBOX/again" restore "$SANDBOX/backup"
  expect_status 0
  cp "$SERVER_DATA/secrets.key" "$SANDBOX/again/"
  shipway admin --data "$SANDBOX/again" check --deep
  expect_status 0
  expect_output "Everything is there"
  local file
  file=$(find "$SANDBOX/again/artifacts" -type f | head -1)
  start_server --runner none --data "$SANDBOX/again"
  expect_api "$(project root/app)/pipelines" "[one['status'] for one in it] == ['success']"
  ask GET "/api/v4$(project root/app)/jobs/artifacts/main/raw/file?job=build" >"$SANDBOX/file"
  expect_file "$SANDBOX/file" "^built$"
  git ls-remote --exit-code "${SERVER/:\/\//:\/\/root:$ROOT_TOKEN@}/root/app.git" main >/dev/null ||
    fail "the repository is not there"
  stop_process "$SERVER_PID"

  # What is missing is found.
  rm "$file"
  shipway admin --data "$SANDBOX/again" check
  expect_status 1
  expect_output "artifact [0-9]+ of job"
}

test_nothing_acknowledged_is_lost_in_fifty_kills() {
  mkdir "$SANDBOX/kills"
  python3 "$SUPPORT/kills.py" "$SHIPWAY" "$SANDBOX/kills" --kills 50 ||
    { tail -n 50 "$SANDBOX/kills/"server*.log; fail "see above"; }
}

test_two_servers_on_one_postgresql_lose_nothing_in_fifty_kills() {
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null ||
    skip "PostgreSQL is not installed"
  # Where the user of PostgreSQL may go; the sandbox and its TMPDIR are not.
  local directory
  directory=$(mktemp -d -p /tmp)
  at_exit "rm -rf '$directory'"
  chmod 755 "$directory"
  python3 "$SUPPORT/kills.py" "$SHIPWAY" "$directory" --kills 50 --servers 2 --postgres ||
    { tail -n 50 "$directory/"server*.log "$directory/postgres/log"; fail "see above"; }
}

run_e2e "$@"
