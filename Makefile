# The tasks of the project. `make help` lists them; CMakePresets.json has the builds behind them.
.DEFAULT_GOAL := build
.PHONY: help deps configure build test conformance demo bench lint lint-all fuzz sanitize clean

BUILD := build/release
JOBS := $(shell nproc)
FUZZ_SECONDS ?= 60
# Tests run side by side: threads that wait must not spin.
CTEST := OMP_WAIT_POLICY=passive ctest --output-on-failure -j $(JOBS)

help:            ## list these tasks
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

deps:            ## install the Debian packages that are missing (tools/packages.txt)
	@tools/install_packages.sh tools/packages.txt

configure: deps
	@mkdir -p build && cmake --preset release >build/release.log 2>&1 || { cat build/release.log; exit 1; }

build: configure ## build everything; the program is build/release/quern
	@cmake --build $(BUILD)

test: build      ## run every test
	@tools/install_packages.sh tools/packages-test.txt
	@cd $(BUILD) && $(CTEST)

conformance: configure ## compare with transformers, tokenizers and others from PyPI (exit 77 of the script: no index)
	@tools/install_packages.sh tools/packages-conformance.txt
	@cmake --build $(BUILD) --target quern tokenizer_bench
	@tools/conformance.sh $(BUILD)/quern

demo: configure  ## raw text to a model that answers: recipes/demo.yaml
	@cmake --build $(BUILD) --target quern
	@$(BUILD)/quern make recipes/demo.yaml

bench: build     ## measure matrix products, attention and training, beside the limits of this machine
	@tools/bench.sh $(BUILD)

lint: build      ## format, layers, symbols, clang-tidy on what changed
	@tools/install_packages.sh tools/packages-lint.txt
	@tools/lint.sh $(BUILD)

lint-all: build  ## the same with clang-tidy on every source (half an hour on two cores)
	@tools/install_packages.sh tools/packages-lint.txt
	@tools/lint.sh $(BUILD) all

sanitize: deps   ## every fast test under address and undefined-behaviour sanitizers, with clang's warnings
	@tools/install_packages.sh tools/packages-lint.txt
	@mkdir -p build && cmake --preset fuzz >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
	@cmake --build build/fuzz
	@cd build/fuzz && LSAN_OPTIONS=suppressions=$(CURDIR)/tools/lsan_suppressions.txt $(CTEST) -L 'fast|fuzz'

fuzz: sanitize   ## search every parser for crashes, FUZZ_SECONDS (60) each
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

clean:           ## remove the builds; runs/ and models/ stay
	@rm -rf build
