# The services of the tests: a Docker engine and a registry. Only what was started
# here is stopped, by its process id. Files go to the directory `work` of steps.sh.
# shellcheck shell=bash disable=SC2154

export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

engine_pid=
registry_pid=

engine_answers() {
  have docker && docker version >/dev/null 2>&1
}

# Sets SHIPWAY_TEST_NO_ENGINE to the reason where there is no engine.
start_engine() {
  export SHIPWAY_TEST_NO_ENGINE=
  engine_answers && return 0
  if ! have docker || ! have dockerd; then
    SHIPWAY_TEST_NO_ENGINE="no Docker engine is installed (package docker.io)"
  elif [[ -S /var/run/docker.sock ]] && pidof dockerd >/dev/null 2>&1; then
    SHIPWAY_TEST_NO_ENGINE="a Docker engine runs, but $(id -un) may not use its socket (group docker)"
  elif ! as_root true; then
    SHIPWAY_TEST_NO_ENGINE="dockerd has to be started by root, and sudo does not let $(id -un)"
  else
    launch_engine
  fi
  [[ -z $SHIPWAY_TEST_NO_ENGINE ]] || echo "No Docker engine: $SHIPWAY_TEST_NO_ENGINE"
}

# The engine runs as root and lets the group of whoever runs the tests use its socket.
launch_engine() {
  local log pidfile=$work/dockerd.pid
  log=$(log_of "dockerd")
  echo "Starting a Docker engine (log: $log)"
  as_root setsid dockerd --host unix:///var/run/docker.sock --group "$(id -g)" \
    --pidfile "$pidfile" >"$log" 2>&1 </dev/null {lock}>&- &
  if wait_for 60 engine_answers; then
    engine_pid=$(cat "$pidfile")
  else
    SHIPWAY_TEST_NO_ENGINE="dockerd did not answer within 60 s (see $log)"
    engine_pid=$(cat "$pidfile" 2>/dev/null || true)
  fi
}

# A registry of our own on port 5000, or on a free one where 5000 is taken;
# SHIPWAY_TEST_REGISTRY is its address, empty where there is none.
start_registry() {
  export SHIPWAY_TEST_REGISTRY=
  if ! have docker-registry; then
    echo "No registry: the package docker-registry is not installed"
    return 0
  fi
  local port log
  port=$(free_port 5000)
  log=$(log_of "registry")
  rm -rf "$work/registry"
  mkdir -p "$work/registry"
  cat >"$work/registry.yml" <<END
version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: $work/registry
http:
  addr: 127.0.0.1:$port
END
  echo "Starting a registry on localhost:$port (log: $log)"
  setsid docker-registry serve "$work/registry.yml" >"$log" 2>&1 </dev/null {lock}>&- &
  registry_pid=$!
  if wait_for 30 port_open "$port"; then
    SHIPWAY_TEST_REGISTRY=localhost:$port
  else
    echo "The registry did not answer within 30 s (see $log)"
  fi
}

# Prints the wanted port if nothing listens on it, else one that the system chose.
free_port() {
  python3 - "$1" <<'END'
import socket, sys

for port in (int(sys.argv[1]), 0):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
END
}

port_open() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
  local tries=$(($1 * 5))
  shift
  until "$@"; do
    ((tries-- > 0)) || return 1
    sleep 0.2
  done
}

stop_services() {
  remove_test_images
  if [[ -n $registry_pid ]]; then
    kill "$registry_pid" 2>/dev/null || true
    registry_pid=
  fi
  if [[ -n $engine_pid ]]; then
    as_root kill "$engine_pid" 2>/dev/null || true
    wait_for 20 process_gone "$engine_pid" || as_root kill -KILL "$engine_pid" 2>/dev/null || true
    engine_pid=
  fi
}

# The images that the Rust tests make have names of their own.
remove_test_images() {
  if [[ -z ${SHIPWAY_TEST_NO_ENGINE-none} ]]; then
    docker images --quiet 'shipway-test/*' | xargs --no-run-if-empty docker rmi --force >/dev/null 2>&1 || true
  fi
}

process_gone() {
  [[ ! -d /proc/$1 ]]
}
