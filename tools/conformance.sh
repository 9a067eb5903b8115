#!/usr/bin/env bash
# conformance.sh QUERN [PYTEST_ARGUMENT...]: runs tests/conformance, the comparisons of the program QUERN with the
# libraries of tests/conformance/requirements.txt, in a virtual environment of its own (build/conformance/venv, about
# 6 GB with the CUDA build of torch). Exit status: 77 when pip's index cannot be reached, so nothing was compared.
set -euo pipefail
QUERN=$(realpath "${1:?usage: $0 QUERN [PYTEST_ARGUMENT...]}")
export QUERN
shift
cd "$(dirname "$0")/.."
requirements=tests/conformance/requirements.txt
venv=build/conformance/venv
installed=$venv/requirements.txt # a copy, once all of it is installed
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# Fetches one small package, past every cache.
index_is_reachable() {
  local folder status=0
  folder=$(mktemp -d)
  "$venv/bin/pip" download -q --no-deps --no-cache-dir --retries 1 --timeout 30 --dest "$folder" \
    "$(grep '^pytest==' $requirements)" >/dev/null 2>&1 || status=1
  rm -rf "$folder"
  return $status
}

skip() {
  echo "conformance: SKIPPED: $1. Nothing was compared." >&2
  exit 77
}

if ! cmp -s "$requirements" "$installed"; then
  python3 -m venv "$venv"
  index_is_reachable || skip "pip's package index cannot be reached"
  echo "conformance: installing what $requirements names" >&2
  if ! "$venv/bin/pip" install -q -r "$requirements"; then
    index_is_reachable || skip "pip's package index went away"
    echo "conformance: pip cannot install $requirements, though its index answers" >&2
    exit 1
  fi
  cp "$requirements" "$installed"
fi
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider --tb=short tests/conformance "$@"
