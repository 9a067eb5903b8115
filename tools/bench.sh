#!/bin/sh
# bench.sh BUILD_DIR: every figure of the project in one run: the matrix products and attention alone, then training.
set -eu
build=${1:?usage: $0 BUILD_DIR}
quern=$build/quern
"$quern" doctor
for micro in "$build"/bench/*_bench; do
  printf '\n== %s\n' "${micro##*/}"
  "$micro"
done
train() {
  printf '\n== training GPT-2 124M: %s\n' "$*"
  "$quern" bench train "$@"
}
train --dtype f32 --sequence 64
train --dtype bf16 --sequence 64
train --dtype bf16 --sequence 512
train --dtype bf16 --sequence 512 --set checkpointing=true
