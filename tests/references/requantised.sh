#!/bin/sh
# SPDX-License-Identifier: MIT
# Make a file of a weight type and record llama.cpp's greedy tokens for it: requantised.sh BIN TYPE|demo/TYPE...
#
# BIN is a folder with llama.cpp's llama-quantize and llama-server. Files go to requant/ in the cache of tests/models/fetch,
# tokens to tests/data/golden/requant/; only what is missing is made. Files are made from the 1.5B by way of F16 (its rows,
# 1536 and 8960 wide, are whole 256s, which K-quants and IQ4_XS need); F32 and BF16 from SmolLM2, which is small enough for them.
# Q3_K is llama-quantize's Q3_K_S with nothing but Q3_K; the other names are its own, mixes among them. The server runs without
# repacking: its plainest kernels. PROMPTS chooses another file of prompts.
# demo/TYPE is the demo model, whose widths are whole 256s, with every matrix of that type: made by `apr convert` (APR is the
# program), as the tests make it again, so its tokens go to tests/data/golden/types/ with the file's SHA-256.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
shift
port=${PORT:-8391}
threads=${THREADS:-2}
golden=$here/../data/golden
prompts=${PROMPTS:-$golden/prompts.json}

quantize() { # FROM TYPE TO
    [ -f "$3" ] && return
    pure='' mix=$2
    [ "$2" = Q3_K ] && pure=--pure mix=Q3_K_S
    # shellcheck disable=SC2086
    "$bin/llama-quantize" --allow-requantize $pure "$1" "$3.tmp" "$mix" "$threads" >"$3.log" 2>&1
    mv "$3.tmp" "$3"
}

record() { # FILE NAME TOLERANCE OUT TOKENS PROMPTS
    [ -f "$4" ] && return
    "$bin/llama-server" -m "$1" -t "$threads" -c 12288 --parallel 12 --no-repack --port "$port" >"$1.server.log" 2>&1 &
    server=$!
    trap 'kill $server 2>/dev/null' EXIT
    until curl -fs "http://127.0.0.1:$port/health" >"$1.health"; do
        kill -0 $server || { echo "$2: the server ended; see $1.server.log" >&2; exit 1; }
        sleep 1
    done
    rm "$1.health"
    python3 "$here/golden_from_llama_server.py" "http://127.0.0.1:$port" "$2" "$6" "$4" --parallel 12 --tokens "$5" \
        --tolerance "$3" --file "$1" \
        --reference "llama.cpp $("$bin/llama-server" --version 2>&1 | sed -n 's/^version: //p'), CPU, F16 KV, no repacking"
    kill $server
    wait $server || true
    trap - EXIT
}

record_demo() { # TYPE
    case $1 in
        Q2_K | Q3_K) tolerance=0.5 ;;
        *) tolerance=0.15 ;;
    esac
    name=demo-$(echo "$1" | tr '[:upper:]' '[:lower:]')
    file=$(mktemp -d)/$name.gguf
    "$APR" -q convert "$here/../../librealizar/demo/demo.gguf" -o "$file" --quantize "$1"
    record "$file" "$name" "$tolerance" "$golden/types/${name#demo-}.json" 96 "$golden/prompts-demo.json"
    rm -r "$(dirname "$file")"
}

mkdir -p "$golden/requant" "$golden/types"
for type in "$@"; do
    case $type in
        demo/*) record_demo "${type#demo/}"; continue ;;
        F32 | BF16) source=smollm2 stem=smollm2-135m tolerance=0.15 ;;
        Q2_K | Q3_K*) source=1.5b stem=coder-1.5b tolerance=0.5 ;; # far from the model: near ties are common
        *) source=1.5b stem=coder-1.5b tolerance=0.15 ;;
    esac
    model=$("$here/../models/fetch" $source)
    files=$(dirname "$model")/requant
    mkdir -p "$files"
    name=$stem-$(echo "$type" | tr '[:upper:]' '[:lower:]')
    quantize "$model" F16 "$files/$stem-f16.gguf"
    quantize "$files/$stem-f16.gguf" "$type" "$files/$name.gguf"
    record "$files/$name.gguf" "$name" "$tolerance" "$golden/requant/$name.json" 32 "$prompts"
done
