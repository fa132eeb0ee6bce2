# A real ssh server on loopback, with keys, configuration and port of its own. It
# runs as the current user and lets only that user in.
# shellcheck shell=bash

# start_sshd DIRECTORY sets SSHD_PORT, SSHD_KEY and SSHD_KNOWN_HOSTS.
start_sshd() {
  local directory=$1 server
  server=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd) || skip "sshd is not installed (package openssh-server)"
  command -v ssh-keygen >/dev/null || skip "ssh is not installed (package openssh-client)"
  if [[ $(id -u) == 0 ]]; then
    mkdir -p /run/sshd # the server's directory for separated privileges
  fi
  mkdir -p "$directory"
  chmod 700 "$directory"
  ssh-keygen -q -t ed25519 -N '' -C host -f "$directory/host"
  ssh-keygen -q -t ed25519 -N '' -C user -f "$directory/user"
  cp "$directory/user.pub" "$directory/authorized"
  SSHD_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  SSHD_KEY=$directory/user
  SSHD_KNOWN_HOSTS=$directory/known_hosts
  echo "[127.0.0.1]:$SSHD_PORT $(cut -d' ' -f1-2 "$directory/host.pub")" >"$SSHD_KNOWN_HOSTS"
  cat >"$directory/config" <<END
ListenAddress 127.0.0.1
Port $SSHD_PORT
HostKey $directory/host
AuthorizedKeysFile $directory/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers $(id -un)
Subsystem sftp internal-sftp
END
  "$server" -D -e -f "$directory/config" >"$directory/log" 2>&1 </dev/null &
  at_exit "kill $! 2>/dev/null"
  wait_until 15 sshd_answers
}

sshd_answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$SSHD_PORT") 2>/dev/null
}

# Runs a command on the host, as the deployment does.
on_host() {
  ssh -F /dev/null -i "$SSHD_KEY" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \
    -o UserKnownHostsFile="$SSHD_KNOWN_HOSTS" -p "$SSHD_PORT" "$(id -un)@127.0.0.1" "$@"
}
