#!/bin/sh
# SPDX-License-Identifier: MIT
# symbols.sh LIBRARY LIST: what the library exports equals the checked-in list.
# To accept a change: symbols.sh LIBRARY LIST --write, and say so in NEWS.md.
set -u
now=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u)
[ -n "$now" ] || { echo "$1 exports nothing"; exit 1; }
if [ "${3:-}" = --write ]; then
    printf '%s\n' "$now" >"$2"
    exit 0
fi
printf '%s\n' "$now" | diff -u "$2" -
