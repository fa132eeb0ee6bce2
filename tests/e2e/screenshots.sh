#!/usr/bin/env bash
# Every page of the server in a browser: it can be seen, fits a phone, and complains of nothing.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

test_every_page_has_its_picture() {
  command -v chromedriver >/dev/null || skip "chromedriver is not installed (packages chromium, chromium-driver)"
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
  "$ROOT/tests/screenshots.py" "$SANDBOX/pictures" >"$OUTPUT" 2>&1 || fail "a page is not as it should be"
  local name look
  while read -r name; do
    for look in light dark narrow; do
      expect_file "$SANDBOX/pictures/$name-$look.png"
    done
  done < <(sed -n 's/^        ("\([a-z-]*\)", .*/\1/p; s/^            "\([a-z-]*\)",$/\1/p' \
    "$ROOT/crates/server/tests/pages/screenshots.rs")
}

run_e2e "$@"
