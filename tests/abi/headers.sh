#!/bin/sh
# SPDX-License-Identifier: MIT
# The list of public headers in meson.build names every one that there is.
cd "$(dirname "$0")/../.." || exit 2
there=$(cd . && for l in libtrueno libapr librealizar; do
    (cd $l/include && ls ./*/*.h | sed 's,^\./,,')
done | LC_ALL=C sort)
printf '%s\n' "$@" | LC_ALL=C sort | { echo "$there" | diff - /dev/fd/3; } 3<&0
