#!/bin/sh
# bench.sh BUILD_DIR: every figure of the project in one run, beside what it is measured against. Peers are outside the
# project; their parts are skipped, and say so, unless they are named:
#   LLMC=DIR       a build of llm.c with ./train_gpt2 and its gpt2_124M.bin: run with B=4, T=64
#   LLAMA_CPP=DIR  the programs of llama.cpp, built for this machine;  MODELS="FILE..."  GGUF files that both run
#   MODEL=FILE     a small GGUF file that is served;  SOAK=1  to serve it for ten minutes, too
#   PEER=PYTHON    a Python with Hugging Face tokenizers
#   TEXT=FILE      English text for the tokenizer;  SHAKESPEARE=FILE  tiny_shakespeare, for nanoGPT's recipe
set -eu
build=${1:?usage: $0 BUILD_DIR}
quern=$build/quern
title() { printf '\n== %s\n' "$*"; }
skip() { printf 'skipped: %s\n' "$*"; }

"$quern" doctor
for micro in gemm_bench attention_bench; do
  title "$micro"
  "$build/bench/$micro"
done

title "oneDNN's own bf16 product, where ours on AMX is not used"
QUERN_ISA=avx512_bf16 "$build/bench/gemm_bench" || skip "this CPU has no AVX-512 BF16"

train() {
  title "training GPT-2 124M: $*"
  "$quern" bench train -q "$@"
}
train --dtype f32 --batch 4 --sequence 64
train --dtype bf16 --batch 4 --sequence 64
title "llm.c, the same model and batch in f32 (wanted: at least 3.5x its tokens/s in f32, 5x in bf16)"
if [ -n "${LLMC:-}" ]; then
  (cd "$LLMC" && timeout 90 stdbuf -oL ./train_gpt2 | sed -n 's/^step .*took \([0-9.]*\) ms.*/\1/p' | sed 1d | sort -n |
    awk '{ ms[NR] = $1 } END { printf "%.1f tokens/s, median of %d steps\n", 256000 / ms[int((NR + 1) / 2)], NR }') || true
else
  skip "set LLMC"
fi
train --dtype bf16 --batch 4 --sequence 512
train --dtype bf16 --batch 4 --sequence 512 --set checkpointing=true

title "running models, in turns with llama.cpp (wanted: decoding at 1.3x for a small model, 1.15x for 1B; prompts at 1.5x to 2x)"
if [ -n "${LLAMA_CPP:-}" ] && [ -n "${MODELS:-}" ]; then
  # shellcheck disable=SC2086  # several files
  python3 bench/scenarios/inference_against_llama_cpp.py "$quern" "$LLAMA_CPP/llama-bench" $MODELS
else
  skip "set LLAMA_CPP and MODELS"
fi

title "serving, in turns with llama-server (wanted: 1.3x, 1.4x and 1.5x its tokens/s with 1, 8 and 32 clients, and no later first tokens)"
if [ -n "${LLAMA_CPP:-}" ] && [ -n "${MODELS:-}" ]; then
  # shellcheck disable=SC2086  # several files
  python3 bench/scenarios/serving_against_llama_server.py "$quern" "$LLAMA_CPP/llama-server" $MODELS
else
  skip "set LLAMA_CPP and MODELS"
fi
if [ -n "${MODEL:-}" ]; then
  for scenario in shared_prompt json_schema slow_streams ${SOAK:+soak}; do
    title "serving: $scenario"
    python3 "bench/scenarios/serving_$scenario.py" "$quern" "$MODEL"
  done
else
  skip "set MODEL"
fi

title "tokenizer (wanted: encoding at 60 MB/s on one thread)"
if [ -n "${TEXT:-}" ]; then "$build/bench/tokenizer_bench" "$TEXT"; else "$build/bench/tokenizer_bench"; fi
title "tokenizer against Hugging Face (wanted: training at 3x its speed)"
if [ -n "${PEER:-}" ] && [ -n "${TEXT:-}" ]; then
  "$PEER" bench/scenarios/tokenizer_against_huggingface.py "$build" "$TEXT"
else
  skip "set PEER and TEXT"
fi

title "nanoGPT's character recipe (wanted: validation loss at most 1.90)"
if [ -n "${SHAKESPEARE:-}" ]; then
  run=$(mktemp -d)
  "$quern" make recipes/shakespeare.yaml --set data.path="$SHAKESPEARE" --set out="$run"
  rm -rf "$run"
else
  skip "set SHAKESPEARE"
fi

title "start-up (wanted: under 50 ms)"
for i in 1 2 3; do
  start=$(date +%s%N)
  "$quern" version >/dev/null
  echo "quern version: $((($(date +%s%N) - start) / 1000000)) ms"
done
