#!/usr/bin/env bash
# What is in deploy/: the compose file with the server beside PostgreSQL and a store that speaks
# S3, and the systemd unit.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../support/server.sh"

# Docker Compose as a plugin or as a program of its own.
compose() {
  local program=(docker compose)
  "${program[@]}" version >/dev/null 2>&1 || program=(docker-compose)
  "${program[@]}" --file "$ROOT/deploy/compose.yaml" --file "$SANDBOX/images.yaml" \
    --project-name "shipway-test-$$" "$@"
}

# The services with images of this machine's own; MinIO's place is taken by s3s-fs.
write_images() {
  cat >"$SANDBOX/images.yaml" <<'END'
services:
  shipway:
    image: shipway-test/server:1
  postgres:
    image: shipway-test/postgres:1
  objects:
    image: shipway-test/objects:1
    command: s3s-fs --host 0.0.0.0 --port 9000 --access-key shipway --secret-key shipway-secret /data
  bucket:
    image: shipway-test/objects:1
    entrypoint: ["mkdir", "-p", "/data/shipway"]
    volumes:
      - objects:/data
END
}

logs_of_all() {
  compose logs --no-color 2>&1 | tail -80
}

compose_answers() {
  ask GET /-/readiness >/dev/null 2>&1
}

expect_kept() {
  ask GET "/api/v4$(project root/packed)/jobs/artifacts/main/raw/kept.txt?job=pack" >"$SANDBOX/kept.txt"
  expect_file "$SANDBOX/kept.txt" "what is kept"
}

test_the_compose_file_serves() {
  need_engine
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null ||
    skip "docker-compose is not installed"
  PATH=$PATH:$ROOT/target/tools/bin command -v s3s-fs >/dev/null || skip "s3s-fs is not installed"
  "$SUPPORT/deploy-images.sh" "$SHIPWAY" >"$OUTPUT" 2>&1 || fail "no images: $(tail -30 "$OUTPUT")"
  "$SUPPORT/postgres-image.sh" shipway-test/postgres:1 >/dev/null
  write_images
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export SHIPWAY_PORT=$port SHIPWAY_EXTERNAL_URL=http://127.0.0.1:$port
  SERVER=$SHIPWAY_EXTERNAL_URL
  SERVER_LOG=$OUTPUT
  at_exit "compose down --volumes --timeout 5 >/dev/null 2>&1"
  compose up --detach --no-build >"$OUTPUT" 2>&1 ||
    fail "it does not start: $(cat "$OUTPUT")$(logs_of_all)"
  wait_until 60 compose_answers

  # As its first lines say.
  ROOT_TOKEN=$(compose logs --no-color shipway 2>/dev/null | grep -oE 'glpat-[A-Za-z0-9_-]+' | head -1)
  [[ -n $ROOT_TOKEN ]] || fail "the first start tells no token: $(logs_of_all)"
  start_runner here "" --executor shell
  new_project <<'END'
pack:
  script: echo "what is kept" >kept.txt
  artifacts: {paths: [kept.txt]}
END
  push_project root/packed
  await_pipeline_of root/packed success 60
  expect_kept
  compose exec -T objects find /data/shipway/artifacts -type f | grep -q . ||
    fail "no artifact is in the bucket"

  # What it knows is in the database and the volumes.
  compose rm --stop --force shipway >/dev/null 2>&1
  compose up --detach --no-build >"$OUTPUT" 2>&1 || fail "it does not start again: $(logs_of_all)"
  wait_until 60 compose_answers
  expect_kept
}

test_the_systemd_unit_is_sound() {
  command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
  # Only the program's place is another.
  sed "s|^ExecStart=[^ ]*|ExecStart=$SHIPWAY|" "$ROOT/deploy/shipway.service" >"$SANDBOX/shipway.service"
  grep -q "^ExecStart=$SHIPWAY serve$" "$SANDBOX/shipway.service" || fail "it starts something else"
  systemd-analyze verify --man=no "$SANDBOX/shipway.service" >"$OUTPUT" 2>&1 || fail "$(cat "$OUTPUT")"
  [[ ! -s $OUTPUT ]] || fail "$(cat "$OUTPUT")"
}

run_e2e "$@"
