#!/usr/bin/env bash
# Measures `shipway serve` with simulated runners on loopback; --help lists the options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Two ends of a connection for each runner that waits, in two processes.
ulimit -Sn "$(ulimit -Hn)"
# PostgreSQL is measured as it is used, with everything durable.
export FSYNC=on
exec cargo bench --locked --quiet --package shipway --features full --bench server -- "$@"
