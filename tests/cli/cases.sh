#!/bin/sh
# SPDX-License-Identifier: MIT
# Every .case file of this folder is listed in meson.build.
cd "$(dirname "$0")" || exit 2
there=$(ls ./*.case | sed 's,^\./,,; s,\.case$,,' | LC_ALL=C sort)
listed=$(printf '%s\n' "$@" | LC_ALL=C sort)
[ "$there" = "$listed" ] || { printf 'there:\n%s\nlisted:\n%s\n' "$there" "$listed"; exit 1; }
