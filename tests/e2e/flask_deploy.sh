#!/usr/bin/env bash
# examples/flask-deploy: what is deployed, and that nothing is when a test fails.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../support/sshd.sh"

break_a_test() {
  echo 'def test_that_fails(): assert 1 + 1 == 3' >tests/broken_test.py
}

# The application at PATH is this project's and has only what it needs to run.
expect_deployed() {
  diff -r app "$1/app" || fail "the deployed application is another one"
  cmp wsgi.py "$1/wsgi.py" || fail "the deployed entry point is another one"
  expect_file "$1/requirements.txt"
  expect_absent "$1/tests"
}

expect_held_back() {
  expect_status 1
  expect_report \
    "report['status'] == 'failed'" \
    "jobs['test']['status'] == 'failed'" \
    "jobs['deploy']['status'] == 'skipped'"
}

test_deploys_into_a_directory_after_green_tests() {
  copy_example flask-deploy
  run_pipeline --var "DEPLOY_DIR=$SANDBOX/site/current"
  expect_status 0
  expect_report \
    "report['status'] == 'success'" \
    "sorted(jobs) == ['bundle', 'deploy', 'test']" \
    "all(job['status'] == 'success' for job in jobs.values())" \
    "jobs['test']['coverage'] == 100" \
    "jobs['test']['tests']['total'] == 15" \
    "jobs['deploy']['stage'] == 'deploy'"
  expect_deployed "$SANDBOX/site/current"
  expect_untouched_tree

  # A second deployment replaces the first in one step.
  local first
  first=$(readlink "$SANDBOX/site/current")
  echo '"""A newer version."""' >app/version.py
  run_pipeline --var "DEPLOY_DIR=$SANDBOX/site/current"
  expect_status 0
  expect_deployed "$SANDBOX/site/current"
  [[ $(readlink "$SANDBOX/site/current") != "$first" ]] || fail "the link still points at the first release"
}

test_a_failing_test_leaves_the_directory_as_it_was() {
  copy_example flask-deploy
  break_a_test
  run_pipeline --var "DEPLOY_DIR=$SANDBOX/site/current"
  expect_held_back
  expect_absent "$SANDBOX/site"
}

test_another_branch_is_tested_and_not_deployed() {
  copy_example flask-deploy
  git switch --quiet --create topic
  run_pipeline --var "DEPLOY_DIR=$SANDBOX/site/current"
  expect_status 0
  expect_report "sorted(jobs) == ['bundle', 'test']"
  expect_absent "$SANDBOX/site"
}

deploy_over_ssh() {
  run_pipeline --file .gitlab-ci.ssh.yml \
    --var DEPLOY_HOST=127.0.0.1 --var "DEPLOY_PORT=$SSHD_PORT" --var "DEPLOY_USER=$(id -un)" \
    --var "DEPLOY_KEY=$SSHD_KEY" --var "DEPLOY_KNOWN_HOSTS=$SSHD_KNOWN_HOSTS" \
    --var "DEPLOY_DIR=$SANDBOX/host/current"
}

test_deploys_over_ssh_to_a_host() {
  start_sshd "$SANDBOX/sshd"
  mkdir "$SANDBOX/host"
  copy_example flask-deploy
  deploy_over_ssh
  expect_status 0
  expect_report "report['status'] == 'success'" "jobs['deploy']['status'] == 'success'"
  expect_deployed "$SANDBOX/host/current"
  expect_untouched_tree
  grep -q "Accepted publickey" "$SANDBOX/sshd/log" || fail "nobody signed in at the host"
  [[ $(on_host "ls -d /tmp/flask-deploy-* 2>/dev/null | wc -l") == 0 ]] || fail "the upload was left on the host"
}

test_a_failing_test_leaves_the_host_untouched() {
  start_sshd "$SANDBOX/sshd"
  mkdir "$SANDBOX/host"
  copy_example flask-deploy
  break_a_test
  deploy_over_ssh
  expect_held_back
  expect_absent "$SANDBOX/host/current"
  ! grep -q "Accepted publickey" "$SANDBOX/sshd/log" || fail "somebody signed in at the host"
}

test_a_host_with_another_key_is_refused() {
  start_sshd "$SANDBOX/sshd"
  mkdir "$SANDBOX/host"
  copy_example flask-deploy
  ssh-keygen -q -t ed25519 -N '' -f "$SANDBOX/other"
  echo "[127.0.0.1]:$SSHD_PORT $(cut -d' ' -f1-2 "$SANDBOX/other.pub")" >"$SSHD_KNOWN_HOSTS"
  deploy_over_ssh
  expect_status 1
  expect_report "jobs['test']['status'] == 'success'" "jobs['deploy']['status'] == 'failed'"
  expect_output "[Hh]ost key verification failed"
  expect_absent "$SANDBOX/host/current"
}

run_e2e "$@"
