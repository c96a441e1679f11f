#!/bin/sh
# SPDX-License-Identifier: MIT
# Run the kernels on tiny shapes under compute-sanitizer: cuda_sanitize.sh FOLDER-OF-THE-TESTS [TOOL..]
# Tools: memcheck and racecheck unless others are named. Exit 77 where there is no sanitizer.
set -u
folder=$1
shift
sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
[ -x "$sanitizer" ] || { echo "skipped: no compute-sanitizer"; exit 77; }
[ $# -gt 0 ] || set -- memcheck racecheck
status=0
for tool in "$@"; do
    for test in "kernels_cuda_steps tiny" "kernels_cuda tiny"; do
        # shellcheck disable=SC2086
        "$sanitizer" --tool "$tool" --error-exitcode 9 --print-limit 5 "$folder"/$test || status=1
    done
done
exit $status
