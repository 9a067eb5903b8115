#!/bin/sh
# check_isa_symbols.sh BUILD_DIR: an object of src/backend/cpu/isa compiled for an instruction set beyond the baseline
# must define no function that another object may share: the linker keeps one copy of a weak symbol, and that copy
# could run on a CPU without the instruction set. Weak symbols named after anything in the object's own namespace are its
# own; type information (_ZTI, _ZTS: clang's sanitizers ask for much of it) and template arguments (_ZTA) are data. Names
# stay mangled: binutils cannot read every lambda in a signature of clang's.
set -eu
build=${1:?usage: $0 BUILD_DIR}
checked=0
failed=0
for isa in avx2 avx512 avx512_bf16 amx amx_int8; do
  object=$(find "$build" -path "*quern_isa_$isa.dir*" -name "$isa.cpp.o")
  [ -n "$object" ] || continue
  checked=$((checked + 1))
  own="7backend3cpu${#isa}$isa"
  symbols=$(nm --defined-only "$object")  # on a line of its own: an object that nm cannot read ends the script
  shared=$(echo "$symbols" | awk -v own="$own" '$2 ~ /^[VWuvw]$/ && $3 !~ /^_ZT[AIS]/ && !index($3, own) {print $3}')
  if [ -n "$shared" ]; then
    failed=1
    echo "$object defines symbols that other objects may share:" >&2
    echo "$shared" | c++filt | sed 's/^/  /' >&2
  fi
done
if [ "$checked" = 0 ] && [ "$(uname -m)" = x86_64 ]; then
  echo "no isa objects below $build: build target quern_backend_cpu first" >&2
  exit 2
fi
exit $failed
