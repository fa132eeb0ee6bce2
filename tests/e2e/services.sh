#!/usr/bin/env bash
# A job beside a real PostgreSQL, as teams test with it.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

test_a_job_finds_its_database() {
  need_engine
  copy_example python-stack
  "$SUPPORT/postgres-image.sh" shipway-test/postgres:1
  cat >.gitlab-ci.yml <<'END'
test:
  image: shipway-test/postgres:1
  services:
    - name: shipway-test/postgres:1
      alias: db
  variables:
    POSTGRES_DB: app
    POSTGRES_USER: app
    POSTGRES_PASSWORD: "not a secret"
    PGPASSWORD: $POSTGRES_PASSWORD
  script:
    - psql -h db -U app app -c 'CREATE TABLE names (name text)'
    - psql -h db -U app app -c "INSERT INTO names VALUES ('is really there')"
    - psql -h db -U app app -Atc 'SELECT name FROM names'
END
  git commit --quiet --all --message "Test with a database"
  run_pipeline
  expect_status 0
  expect_report "'is really there' in open(job['log'], encoding='utf-8').read()" \
    "\"probably didn't start\" not in open(job['log'], encoding='utf-8').read()"
  local left
  left=$(docker ps --all --format '{{.Labels}}' && docker network ls --format '{{.Labels}}')
  [[ $left != *"$SANDBOX"* ]] || fail "a container or a network is left"
}

run_e2e "$@"
