#!/bin/sh
# SPDX-License-Identifier: MIT
# manual.sh APR COMMAND...: every command has a manual page that is installed, and each page is right.
apr=$1
shift
commands=$("$apr" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$commands" = "$(printf '%s\n' "$@")" ] || { printf 'commands:\n%s\npages: %s\n' "$commands" "$*"; exit 1; }
command -v scdoc >/dev/null || { echo "scdoc is not installed"; exit 77; }
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for page in '' apr.yaml "$@"; do
    # shellcheck disable=SC2086
    "$apr" man $page | scdoc >"$work/page" || { echo "$page: scdoc refuses it"; failed=1; }
    if command -v groff >/dev/null; then
        said=$(groff -man -ww -Tutf8 "$work/page" 2>&1 >/dev/null | head -n 3)
        [ -z "$said" ] || { echo "$page: $said"; failed=1; }
    fi
done
"$apr" man chat | grep -q '^\*/regen\*' || { echo "the commands of a chat are missing"; failed=1; }
"$apr" help chat | grep -q '^  /regen ' || { echo "apr help chat does not show the commands"; failed=1; }
exit $failed
