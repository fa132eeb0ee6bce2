#!/bin/sh
# Puts a release in place: copies SOURCE to LINK.releases/NAME and points the
# symbolic link LINK at it in one step, so that a reader sees the old tree or the
# new one and never half of either. Keeps the newest three releases.
#
#   release.sh SOURCE LINK NAME
set -eu

if [ $# -ne 3 ]; then
  echo "usage: release.sh SOURCE LINK NAME" >&2
  exit 2
fi
source=$1
link=$2
name=$3
releases=$link.releases
keep=3

if [ -e "$link" ] && [ ! -L "$link" ]; then
  echo "release.sh: $link exists and is not a link made by this script." >&2
  echo "Move it away, or set DEPLOY_DIR to another path." >&2
  exit 1
fi

mkdir -p "$releases"
# The copy is made under a hidden name: a copy cut short is never a release.
incoming=$(mktemp -d "$releases/.incoming.XXXXXX")
trap 'rm -rf "$incoming"' EXIT
cp -R "$source/." "$incoming/"
chmod 755 "$incoming"
touch "$incoming"
rm -rf "${releases:?}/$name"
mv "$incoming" "$releases/$name"

# The link is relative to its own directory, so the place can be mounted elsewhere.
ln -sfn "$(basename "$releases")/$name" "$link.next"
mv -fT "$link.next" "$link"
echo "$link -> $(readlink "$link")"

# Older releases go; the one in use is the newest and stays.
# shellcheck disable=SC2012  # the names are ours, and `find` cannot sort by age
ls -1t "$releases" | tail -n "+$((keep + 1))" | while read -r old; do
  rm -rf "${releases:?}/$old"
done
