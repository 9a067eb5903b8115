#!/bin/sh
# fuzz.sh BUILD_DIR SECONDS: runs every fuzz target of a build for so long, from its seeds and what was found before.
set -eu
build=${1:?usage: $0 BUILD_DIR SECONDS}
seconds=${2:?usage: $0 BUILD_DIR SECONDS}
status=0
for target in "$build"/tests/fuzz/fuzz_*; do
  [ -x "$target" ] || continue
  name=${target##*/fuzz_}
  found="$build/tests/fuzz/found/$name"
  mkdir -p "$found"
  echo "fuzz: $name for $seconds s"
  "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -verbosity=0 -artifact_prefix="$found/" \
    "$found" "tests/fuzz/corpus/$name" || status=1
done
exit $status
