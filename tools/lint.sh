#!/bin/sh
# lint.sh BUILD_DIR [BASE]: format, layers, symbols of the instruction-set objects, and clang-tidy on the sources that
# differ from the commit BASE (default: the last commit; "all" for every source). BUILD_DIR is a configured build.
set -eu
build=${1:?usage: $0 BUILD_DIR [BASE]}
base=${2:-HEAD~1}
cd "$(dirname "$0")/.."
status=0

echo "lint: format"
git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror || status=1

echo "lint: layers"
python3 tools/check_layers.py || status=1

echo "lint: symbols of instruction-set objects"
tools/check_isa_symbols.sh "$build" || status=1

if [ "$base" = all ]; then
  sources=$(git ls-files 'src/*.cpp')
else
  git rev-parse -q --verify "$base^{commit}" >/dev/null || base=HEAD
  sources=$(git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp')
fi
# The objects of one instruction set need its flags and headers of intrinsics that clang-tidy reads poorly.
sources=$(printf '%s\n' $sources | grep -v '/isa/' || true)
if [ -n "$sources" ]; then
  echo "lint: clang-tidy on $(printf '%s\n' "$sources" | wc -l) files"
  printf '%s\n' "$sources" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wshadow 2>/dev/null || status=1
fi
exit $status
