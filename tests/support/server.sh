# A server of the test's own, and questions to it. Sourced after e2e.sh.
# shellcheck shell=bash

ROOT_TOKEN=glpat-for-the-tests-only-0000

# start_server ARGUMENTS… sets SERVER (its address) and SERVER_PID. The log is $SERVER_LOG.
start_server() {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  SERVER=http://127.0.0.1:$port
  SERVER_LOG=$SANDBOX/server.log
  SERVER_DATA=$SANDBOX/server
  [[ " $* " == *" --data "* ]] || set -- --data "$SERVER_DATA" "$@"
  SERVER_ARGUMENTS=(serve --listen "127.0.0.1:$port" "$@")
  resume_server
}

# Starts it again with the same data.
resume_server() {
  SHIPWAY_ROOT_TOKEN=$ROOT_TOKEN SHIPWAY_ROOT_PASSWORD=correct-horse-battery \
    "$SHIPWAY" "${SERVER_ARGUMENTS[@]}" >>"$SERVER_LOG" 2>&1 </dev/null &
  SERVER_PID=$!
  at_exit "stop_process $SERVER_PID"
  wait_until 60 server_answers
}

server_answers() {
  ! process_gone "$SERVER_PID" || { cat "$SERVER_LOG"; fail "the server ended"; }
  ask GET /-/readiness >/dev/null 2>&1
}

# Asks a process to end, and ends it when it does not.
stop_process() {
  kill -TERM "$1" 2>/dev/null || return 0
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    process_gone "$1" && return 0
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null || true
}

# ask METHOD PATH [JSON]: prints the body; fails for an answer of 400 and more.
ask() {
  python3 "$SUPPORT/ask.py" "$SERVER" "$ROOT_TOKEN" "$@"
}

# api PATH EXPRESSION: prints a Python expression over the answer `it` of the API.
api() {
  ask GET "/api/v4$1" | python3 -c '
import json, sys
it = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"
}

# The same, as a condition.
holds() {
  [[ $(api "$1" "bool($2)" 2>/dev/null) == True ]]
}

expect_api() {
  holds "$1" "$2" || fail "$1 is not as expected ($2): $(ask GET "/api/v4$1" 2>&1)
--- log of the server:
$(tail -50 "$SERVER_LOG")"
}

# await_api SECONDS PATH EXPRESSION
await_api() {
  local deadline=$((SECONDS + $1))
  until holds "$2" "$3"; do
    ((SECONDS < deadline)) || expect_api "$2" "$3"
    sleep 0.3
  done
}

# push_project PATH: pushes the repository here to a project, which is made by it.
push_project() {
  local header
  header="Authorization: Basic $(printf 'root:%s' "$ROOT_TOKEN" | base64 --wrap=0)"
  git -c "http.extraHeader=$header" push --quiet "$SERVER/$1.git" HEAD:main >"$OUTPUT" 2>&1 ||
    fail "the push of $1 failed"
}

# The path of a project as the API wants it.
project() {
  echo "/projects/${1//\//%2F}"
}

# await_pipeline_of PROJECT STATUS SECONDS: the newest pipeline, which must end so.
await_pipeline_of() {
  local path
  path=$(project "$1")/pipelines
  await_api "$3" "$path" "it and it[0]['status'] in ('success', 'failed', 'canceled', 'skipped')"
  expect_api "$path" "it[0]['status'] == '$2'"
}

# start_runner NAME TAGS ARGUMENTS…: registers a runner of the instance and runs it.
start_runner() {
  local name=$1 tags=$2 token config=$SANDBOX/$1.toml
  shift 2
  token=$(ask POST /api/v4/user/runners \
    "{\"runner_type\": \"instance_type\", \"description\": \"$name\", \"tag_list\": \"$tags\", \"run_untagged\": true}" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
  shipway runner --config "$config" register --url "$SERVER" --token "$token" --name "$name" "$@"
  expect_status 0
  "$SHIPWAY" runner --config "$config" run --working-directory "$SANDBOX/$name" \
    >"$SANDBOX/$name.log" 2>&1 </dev/null &
  at_exit "stop_process $!"
}
