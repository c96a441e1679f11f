#!/bin/sh
# SPDX-License-Identifier: MIT
# consumers.sh BUILD: programs against the installed libraries. docs/embedding.md's three, linked
# shared, static and uninstalled, must answer (under valgrind where it is installed, without a leak),
# a program with habits of its own must be let be, and `realizar` must need librealizar alone.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
examples=$top/docs/examples
demo=$top/librealizar/demo/demo.gguf
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
    echo "FAILED: $1"
    exit 1
}

if command -v valgrind >/dev/null; then
    watched="valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99"
else
    watched=
    echo "valgrind is not installed: programs run without it"
fi

check() { # NAME PATTERN COMMAND...
    name=$1
    pattern=$2
    shift 2
    answer=$("$@" 2>"$root/errors") || fail "$name: exit $?: $(cat "$root/errors")"
    case $answer in
    *$pattern*) echo "ok: $name" ;;
    *) fail "$name: answered '$answer' $(cat "$root/errors")" ;;
    esac
}

# What an application's own `cc` line would be, warnings being errors.
compile() { # SOURCE OUTPUT FLAG...
    source=$1
    output=$2
    shift 2
    cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wno-unused-parameter -Werror "$source" -o "$output" "$@"
}

check_examples() { # WAY FLAG...: the three programs of docs/embedding.md
    way=$1
    shift
    for name in answer stream batch; do
        compile "$examples/$name.c" "$root/$name-$way" "$@"
    done
    # shellcheck disable=SC2086
    {
        check "answer, $way" 4 $watched "$root/answer-$way" "$demo" "What is 2+2?"
        check "stream, $way" 4 $watched "$root/stream-$way" "$demo" "What is 2+2?"
        check "batch, $way" "3 + 3 = 6" $watched "$root/batch-$way" "$demo" "What is 2+2?" "What is 3+3?"
    }
}

for program in answer:10 stream:40 batch:100; do
    lines=$(wc -l <"$examples/${program%:*}.c")
    [ "$lines" -le "${program#*:}" ] || fail "docs/examples/${program%:*}.c has $lines lines"
    python3 "$here/in_page.py" "$top/docs/embedding.md" "$examples/${program%:*}.c" || fail "docs/embedding.md shows another ${program%:*}.c"
done

DESTDIR="$root" meson install -C "$build" --no-rebuild --quiet
lib=$(dirname "$(find "$root" -name librealizar.so)")
export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"

export LD_LIBRARY_PATH="$lib"
# shellcheck disable=SC2046
check_examples shared $(pkg-config --cflags --libs realizar)
prefix=$(dirname "$(find "$root" -name realizar -path '*bin*')")
check "realizar run" 4 "$prefix/realizar" run demo "What is 2+2?"
check "realizar info" "hidden size: 256" "$prefix/realizar" info demo
check "realizar bench" "tg4:" "$prefix/realizar" bench demo -p 8 -n 4 -r 1
needed=$(readelf -d "$prefix/realizar" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(libc|ld-linux.*)\.so' | tr '\n' ' ')
[ "$needed" = "librealizar.so.0 " ] || fail "realizar needs $needed"

# shellcheck disable=SC2046
compile "$here/good_citizen.c" "$root/citizen" -D_GNU_SOURCE $(pkg-config --cflags --libs realizar) -ldl -pthread
"$build/apr-cli/apr" convert demo -q -o "$root/noisy.apr"
printf 'XXXX' | dd of="$root/noisy.apr" bs=1 seek=44 conv=notrunc status=none # another checksum of the metadata
"$root/citizen" "$root/noisy.apr" || fail "good_citizen"
echo "ok: allocator, log, fork, threads, signals"
status=0
"$root/citizen" apache libapr-1.so.0 || status=$?
case $status in
0) echo "ok: beside Apache's portable runtime" ;;
77) ;;
*) fail "beside Apache's portable runtime" ;;
esac
unset LD_LIBRARY_PATH

# shellcheck disable=SC2046
check_examples static $(pkg-config --cflags realizar) "$lib/librealizar.a" "$lib/libapr.a" "$lib/libtrueno.a" \
    $(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-l realizar |
        tr ' ' '\n' | grep -vE '^-l(realizar|apr|trueno)$')

export PKG_CONFIG_PATH="$build/meson-uninstalled" PKG_CONFIG_SYSROOT_DIR=
export LD_LIBRARY_PATH="$build/librealizar:$build/libapr:$build/libtrueno"
watched=
# shellcheck disable=SC2046
check_examples uninstalled $(pkg-config --cflags --libs realizar)
