#!/usr/bin/env bash
# Measures `shipway run` beside gitlab-ci-local and bare bash; --help lists the options.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/local_run.py" "$@"
