# What the tests need from the system's package manager.
# shellcheck shell=bash

# One line per package: the Debian name, then a file or command that shows that
# it is there, then what it is for.
packages_needed() {
  cat <<'END'
git              git                    the repositories that the tests make
python3          python3                the examples
curl             curl                   the guide about the server
python3-venv     python:venv,ensurepip  the examples' virtual environments
docker.io        dockerd                the Docker engine of the container tests
docker-cli       docker                 its client, where docker.io leaves it out
docker-compose   docker-compose         starts the compose file of deploy/
iptables         iptables               the engine's networks
docker-registry  docker-registry        the registry that images are pulled from
mmdebstrap       mmdebstrap             makes the image with Python
busybox-static   busybox                makes the small image
openssh-server   sshd                   the host that is deployed to
openssh-client   ssh                    deploys to it
util-linux       setpriv                runs a test as another user
postgresql       pg_ctlcluster          the database that the store is tested on
chromium         chromium               the browser that walks through the pages
chromium-driver  chromedriver           leads the browser
shellcheck       shellcheck             lints the scripts
END
}

# Without a terminal nobody can type a password, so sudo has to say no at once.
if [[ $(id -u) == 0 ]]; then
  become_root=()
elif [[ -t 1 ]]; then
  become_root=(sudo)
else
  become_root=(sudo --non-interactive)
fi

as_root() {
  "${become_root[@]}" "$@"
}

# Whether COMMAND or `python:MODULE,MODULE` is there. Servers live in directories
# that are not on everyone's path.
present() {
  if [[ $1 == python:* ]]; then
    python3 -c "import ${1#python:}" 2>/dev/null
  else
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" >/dev/null
  fi
}

install_packages() {
  local name shows purpose missing=()
  while read -r name shows purpose; do
    present "$shows" || missing+=("$name")
  done < <(packages_needed)
  ((${#missing[@]} > 0)) || return 0

  if ! have apt-get; then
    echo "This system has no apt-get. Not installed: ${missing[*]}"
    return 0
  fi
  echo "The tests need these packages, which are installed now with apt-get:"
  while read -r name shows purpose; do
    if [[ " ${missing[*]} " == *" $name "* ]]; then
      printf '  %-16s %s\n' "$name" "$purpose"
    fi
  done < <(packages_needed)
  echo "(./test --no-install leaves the system alone.)"

  local log
  log=$(log_of "install")
  # A package that cannot be had costs the tests that need it, not the whole run.
  if ! { as_root apt-get update && apt_install "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    for name in "${missing[@]}"; do
      apt_install "$name" >>"$log" 2>&1 </dev/null || true
    done
  fi
  while read -r name shows purpose; do
    present "$shows" || echo "Could not be installed: $name, $purpose (see $log)"
  done < <(packages_needed)
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

# Ends the run if a tool without which nothing can be tested is missing.
require_tools() {
  local tool
  for tool in "$@"; do
    if ! have "$tool"; then
      echo "./test: $tool is not on the PATH; nothing can be tested without it." >&2
      exit 2
    fi
  done
}
