# Programs that the tests need and no package manager has: cargo builds them once, into
# target/tools.
# shellcheck shell=bash disable=SC2154

tools=$ROOT/target/tools
export PATH=$PATH:$tools/bin

install_tools() {
  install_tool s3s-fs 0.14.1 binary "the S3 that artifacts and caches are stored on"
}

# install_tool NAME VERSION FEATURES PURPOSE
install_tool() {
  local name=$1 version=$2 features=$3 purpose=$4 log
  have "$name" && return 0
  log=$(log_of "install $name")
  announce "building $name, $purpose"
  # Not optimized: that would take longer than it saves.
  if ! cargo install "$name" --version "$version" --features "$features" --locked --debug \
    --root "$tools" --target-dir "$tools/build" >"$log" 2>&1 </dev/null; then
    echo "Could not be built: $name, $purpose (see $log)"
  fi
  rm -rf "$tools/build"
}
