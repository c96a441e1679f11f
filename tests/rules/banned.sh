#!/bin/sh
# SPDX-License-Identifier: MIT
# Functions that the libraries never call: unbounded copies, ways out of the process, printing.
cd "$(dirname "$0")/../.." || exit 2
bad=0
sources=$(git ls-files 'libtrueno/*.[ch]' 'libapr/*.[ch]' 'librealizar/*.[ch]' 2>/dev/null)
[ -n "$sources" ] || sources=$(find libtrueno libapr librealizar -name '*.[ch]')
sources=$(echo "$sources" | grep -v '_generate\.c$') # programs that run at build time
[ -n "$sources" ] || { echo "no sources found"; exit 1; }

ban() { # NAMES WHY
    # shellcheck disable=SC2086
    if found=$(grep -nE "(^|[^a-zA-Z0-9_.>])($1)[[:space:]]*\(" $sources); then
        printf '%s:\n%s\n' "$2" "$found"
        bad=1
    fi
}

ban 'strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|alloca' 'unbounded or unchecked'
ban 'abort|exit|_exit|quick_exit' 'a library never ends the process'
ban 'printf|puts|putchar|perror' 'a library never prints'
# shellcheck disable=SC2086
if found=$(grep -nE 'TODO|FIXME|HACK' $sources); then
    printf 'unfinished work:\n%s\n' "$found"
    bad=1
fi
exit $bad
