#!/bin/sh
# SPDX-License-Identifier: MIT
# Make a file of every weight type and record llama.cpp's greedy tokens for it: requantised.sh BIN [TYPE...]
#
# BIN is a folder with llama.cpp's llama-quantize and llama-server. Files go to requant/ in the cache of tests/models/fetch,
# tokens to tests/data/golden/requant/. Only what is missing is made. K-quants and IQ4_XS need rows of whole 256s, so every
# type is made from the 1.5B (1536 and 8960 wide), by way of F16. The server runs without repacking: its plainest kernels.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
shift
[ $# -gt 0 ] || set -- F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q6_K Q5_K_M Q3_K_M Q2_K IQ4_NL IQ4_XS
port=${PORT:-8391}
threads=${THREADS:-2}
model=$("$here/../models/fetch" 1.5b)
files=$(dirname "$model")/requant
golden=$here/../data/golden
mkdir -p "$files" "$golden/requant"

quantize() { # FROM TYPE TO
    [ -f "$3" ] && return
    "$bin/llama-quantize" --allow-requantize "$1" "$3.tmp" "$2" "$threads" >"$3.log" 2>&1
    mv "$3.tmp" "$3"
}

record() { # FILE NAME TOLERANCE
    [ -f "$golden/requant/$2.json" ] && return
    "$bin/llama-server" -m "$1" -t "$threads" -c 12288 --parallel 12 --no-repack --port "$port" >"$files/$2.server.log" 2>&1 &
    server=$!
    trap 'kill $server 2>/dev/null' EXIT
    until curl -fs "http://127.0.0.1:$port/health" >"$files/$2.health"; do
        kill -0 $server || { echo "$2: the server ended; see $files/$2.server.log" >&2; exit 1; }
        sleep 1
    done
    rm "$files/$2.health"
    python3 "$here/golden_from_llama_server.py" "http://127.0.0.1:$port" "$2" "$golden/prompts.json" \
        "$golden/requant/$2.json" --parallel 12 --tokens 32 --tolerance "$3" \
        --reference "llama.cpp $("$bin/llama-server" --version 2>&1 | sed -n 's/^version: //p'), CPU, F16 KV, no repacking"
    kill $server
    wait $server || true
    trap - EXIT
}

quantize "$model" F16 "$files/coder-1.5b-f16.gguf"
for type in "$@"; do
    name=coder-1.5b-$(echo "$type" | tr '[:upper:]' '[:lower:]')
    case $type in
        BF16) from=$model ;;
        *) from=$files/coder-1.5b-f16.gguf ;;
    esac
    case $type in
        Q2_K | Q3_K*) tolerance=0.5 ;; # the file itself is far from the model: nearly equal tokens are common
        *) tolerance=0.15 ;;
    esac
    quantize "$from" "$type" "$files/$name.gguf"
    record "$files/$name.gguf" "$name" "$tolerance"
done
