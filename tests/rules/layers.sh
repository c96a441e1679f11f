#!/bin/sh
# SPDX-License-Identifier: MIT
# Arrows point down only: libtrueno names neither sister, libapr never realizar, programs and
# bindings use public headers and never a sys/ one.
cd "$(dirname "$0")/../.." || exit 2
bad=0
programs=apr-cli
[ ! -d bindings ] || programs="$programs bindings"

forbid() { # PATTERN FOLDER...
    pattern=$1
    shift
    status=0
    found=$(grep -rnE "[#%][[:space:]]*include[[:space:]]*[<\"]$pattern" "$@" \
        --include='*.[chSi]' --include='*.cu' --include='*.cuh') || status=$?
    if [ "$status" -ne 1 ]; then # 0: found one; 2: grep could not look
        printf 'forbidden include of %s:\n%s\n' "$pattern" "$found"
        bad=1
    fi
}

# a check that finds nothing because it looks nowhere is no check
for folder in libtrueno libapr librealizar apr-cli; do
    [ -n "$(find "$folder" -name '*.c')" ] || { echo "no sources in $folder"; exit 1; }
done
forbid '(apr|realizar)/' libtrueno
forbid 'realizar/' libapr
# shellcheck disable=SC2086
forbid '[a-z]+/sys/' $programs
# a path that leaves its library names a folder of the top level
# shellcheck disable=SC2086
forbid '(\.\./)+(lib(trueno|apr|realizar)|apr-cli|bindings|tests)/' \
    libtrueno libapr librealizar $programs
exit $bad
