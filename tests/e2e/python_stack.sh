#!/usr/bin/env bash
# examples/python-stack: from its pipeline to tests, coverage and artifacts.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

expect_reports() {
  expect_report \
    "report['status'] == 'success'" \
    "report['coverage'] == 100" \
    "list(jobs) == ['test']" \
    "job['stage'] == 'test'" \
    "job['status'] == 'success'" \
    "job['exit_code'] in (0, None)" \
    "job['coverage'] == 100" \
    "job['duration_s'] > 0" \
    "job['started_at']" \
    "job['tests']['total'] == 8" \
    "job['tests'].get('failed', 0) == 0" \
    "'100%' in open(job['log'], encoding='utf-8').read()" \
    "job['artifacts']"
  expect_file "$(find "$SANDBOX/out" -name index.html)" "100%"
  expect_output "100"
  expect_untouched_tree
}

test_runs_green_in_a_virtual_environment() {
  copy_example python-stack
  run_pipeline --artifacts "$SANDBOX/out"
  expect_status 0
  expect_reports
}

test_runs_green_in_a_container_from_a_registry() {
  need_engine
  copy_example python-stack
  local image=$SHIPWAY_TEST_REGISTRY/python-pytest:3
  "$SUPPORT/python-image.sh" "$image"
  if [[ $SHIPWAY_TEST_REGISTRY != localhost:5000 ]]; then
    sed -i "s|localhost:5000/|$SHIPWAY_TEST_REGISTRY/|" .gitlab-ci.container.yml
    git commit --quiet --all --message "Use the registry of this test"
  fi
  ! docker image inspect "$image" >/dev/null 2>&1 || fail "the image is there already: nothing would be pulled"
  at_exit "docker rmi '$image' >/dev/null 2>&1"

  run_pipeline --file .gitlab-ci.container.yml --artifacts "$SANDBOX/out"
  expect_status 0
  expect_reports
  docker image inspect "$image" >/dev/null || fail "the image was not pulled"
}

test_sees_uncommitted_edits_unless_told_otherwise() {
  copy_example python-stack
  echo 'def test_of_today(): assert False' >tests/models/today_test.py
  run_pipeline
  expect_status 1
  expect_report \
    "report['status'] == 'failed'" \
    "job['status'] == 'failed'" \
    "job['failure_reason'] == 'script_failure'" \
    "job['exit_code'] == 1" \
    "job['tests']['failed'] == 1"
  expect_output "test_of_today"

  run_pipeline --committed
  expect_status 0
  expect_report "job['tests']['total'] == 8"
}

run_e2e "$@"
