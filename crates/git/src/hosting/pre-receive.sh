#!/bin/sh
# Called by git when the objects of a push are there and no ref has moved yet.
#
# SHIPWAY_FAST_FORWARD_ONLY has a line for every branch and tag that may only move forward:
# the old commit, the new commit, and what to tell the pusher otherwise. Whether a move is
# forward can be told only here, where git knows the new commits.
refused=0
while IFS=' ' read -r old new text; do
    if [ -n "$old" ] && ! git merge-base --is-ancestor "$old" "$new" 2>/dev/null; then
        printf '%s\n' "$text" >&2
        refused=1
    fi
done <<LINES
$SHIPWAY_FAST_FORWARD_ONLY
LINES
exit "$refused"
