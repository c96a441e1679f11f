#!/bin/sh
# SPDX-License-Identifier: MIT
# Arrows point down only: libtrueno names neither sister, libapr never realizar, programs and
# bindings use public headers and never a sys/ one.
cd "$(dirname "$0")/../.." || exit 2
bad=0

forbid() { # PATTERN FOLDER...
    pattern=$1
    shift
    if found=$(grep -rnE "#[[:space:]]*include[[:space:]]*[<\"]$pattern" "$@" \
        --include='*.[chSi]' --include='*.cu' --include='*.cuh'); then
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
forbid '[a-z]+/sys/' apr-cli bindings
forbid '\.\./' libtrueno libapr librealizar apr-cli bindings
exit $bad
