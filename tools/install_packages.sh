#!/bin/sh
# Installs the Debian packages listed in the given files that are missing. Silent and fast when none is.
set -eu
wanted=$(grep -hv '^#' "$@")
# shellcheck disable=SC2086 # a list of words
installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | sed -n 's/ installed$//p' | tr '\n' ' ')"
missing=""
for package in $wanted; do
  case "$installed" in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0
echo "installing:$missing" >&2
if ! command -v apt-get >/dev/null; then
  echo "this system has no apt-get: install the counterparts of these Debian packages:$missing" >&2
  exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
$as_root apt-get install -y -q --no-install-recommends $missing </dev/null >&2 && exit 0
$as_root apt-get update -q >&2
$as_root apt-get install -y -q --no-install-recommends $missing </dev/null >&2
