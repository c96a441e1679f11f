#!/bin/sh
# SPDX-License-Identifier: MIT
# consumers.sh BUILD: a C program against the installed libraries, three ways (shared, static,
# uninstalled), must stream the demo model's answer.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR="$root" meson install -C "$build" --no-rebuild --quiet
lib=$(dirname "$(find "$root" -name librealizar.so)")
export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"

check() { # NAME PROGRAM
    answer=$("$2")
    case $answer in
    *4*) echo "$1: $answer" ;;
    *) echo "$1: answered '$answer'" && exit 1 ;;
    esac
}

# shellcheck disable=SC2046
cc "$here/consumer.c" -o "$root/shared" $(pkg-config --cflags --libs realizar)
LD_LIBRARY_PATH="$lib" check shared "$root/shared"

# shellcheck disable=SC2046
cc "$here/consumer.c" -o "$root/static" $(pkg-config --cflags realizar) \
    "$lib/librealizar.a" "$lib/libapr.a" "$lib/libtrueno.a" \
    $(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-l realizar |
        tr ' ' '\n' | grep -vE '^-l(realizar|apr|trueno)$')
check static "$root/static"

export PKG_CONFIG_PATH="$build/meson-uninstalled" PKG_CONFIG_SYSROOT_DIR=
# shellcheck disable=SC2046
cc "$here/consumer.c" -o "$root/uninstalled" $(pkg-config --cflags --libs realizar)
LD_LIBRARY_PATH="$build/librealizar:$build/libapr:$build/libtrueno" check uninstalled "$root/uninstalled"
