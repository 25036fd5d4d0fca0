# Every target does the whole of what its name says; "make" alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VERSION := $(shell scripts/version.sh)
LDFLAGS := -s -w -X main.version=$(VERSION)
TOOL    := go tool -modfile=tools/go.mod

# GOARCH of a Debian architecture. armhf is built for ARMv6: the same label
# covers the Raspberry Pi 1 and Zero, where ARMv7 code is an illegal instruction.
GOENV_amd64 := GOARCH=amd64
GOENV_arm64 := GOARCH=arm64
GOENV_armhf := GOARCH=arm GOARM=6
ARCHES      := amd64 arm64 armhf
HOST_ARCH   := $(or $(shell dpkg --print-architecture 2>/dev/null),$(shell go env GOARCH))
ARCH        ?= $(HOST_ARCH)

# $(call compile,tags,output,environment)
# The version tells the commit; -buildvcs would make a tarball's bytes others.
compile = CGO_ENABLED=0 $(3) go build -trimpath -buildvcs=false -tags '$(1)' -ldflags '$(LDFLAGS)' -o $(2) ./cmd/gateway

UI_SOURCES := $(shell find web/ui -name node_modules -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## ---- what is needed ----

.PHONY: deps deps-build deps-package
deps: ## check Go and Node, install what tests and packaging need
	@scripts/deps.sh test
deps-build:
	@scripts/deps.sh build
deps-package:
	@scripts/deps.sh package

## ---- build ----

.PHONY: ui
ui: build/ui.stamp ## build the web page into web/dist

# The page is built again when a source changed, or when its output is gone.
build/ui.stamp: $(UI_SOURCES) $(if $(wildcard web/dist),,ui-missing) | deps-build
	npm --prefix web/ui run build
	@mkdir -p build && touch $@
.PHONY: ui-missing
ui-missing:

.PHONY: build
build: ui ## build bin/fieldferry with the page in it
	$(call compile,ui,bin/fieldferry,)

.PHONY: build-demo
build-demo: ui
	$(call compile,ui demo,bin/fieldferry-demo,)

.PHONY: demo
demo: build-demo ## run a simulated plant with broker, buffer and page (ARGS="--kill-broker-every 60s")
	@exec bin/fieldferry-demo demo $(ARGS)

.PHONY: dev
dev: deps-build ## the page from the Vite server, talking to a running gateway
	npm --prefix web/ui run dev

.PHONY: api
api: deps-build ## write api/openapi.json and the page's types from the Go code
	go test ./web -count 1 -run OpenAPIFile -update
	npm --prefix web/ui run api

.PHONY: package
package: ui deps-build ## build dist/*.deb (ARCH=amd64|arm64|armhf|all; default: this machine's)
	packaging/package.sh $(if $(filter all,$(ARCH)),$(ARCHES),$(ARCH))

# The binary of a package: one per architecture below build/package.
binary-%: ui
	$(call compile,ui,build/package/$*/fieldferry,$(GOENV_$*))

## ---- tests ----

# Loops over thousands of crash states, too slow under the race detector: in
# files with the build constraint !race, and a stage as soon as there is one.
NORACE = $(if $(shell grep -rlE --include='*_test.go' --exclude-dir={node_modules,testdata,build} '^//go:build .*!race' . | head -n 1),test-norace)

.PHONY: test
test: ## everything that CI runs, with the time of each stage
	@scripts/stages.sh deps $(CHECK) planted test-32bit test-ui test-peer test-browser check-package

.PHONY: check
check: ## the part of "make test" that needs no peer
	@scripts/stages.sh $(CHECK)

CHECK = fmt-check vet lint shell-check race $(NORACE)

.PHONY: fmt-check
fmt-check:
	@bad=$$(find . \( -name node_modules -o -name testdata -o -path ./build \) -prune -o -name '*.go' -print | xargs gofmt -l); \
	if [ -n "$$bad" ]; then echo "gofmt would change:" $$bad; exit 1; fi

.PHONY: vet
vet:
	go vet ./...
	go vet -tags 'demo peer proof' ./...

.PHONY: lint
lint:
	$(TOOL) golangci-lint run --allow-parallel-runners ./...

.PHONY: shell-check
shell-check:
	shellcheck scripts/*.sh packaging/*.sh packaging/deb/post* packaging/deb/pre* .ci/run

.PHONY: race
race: ## all Go tests that need no peer, with the race detector
	CGO_ENABLED=1 go test -race -tags demo -timeout 10m ./...

# The same code with 32-bit words, as on a Raspberry Pi 1; amd64 runs it.
PURE := $(patsubst %,./%/...,$(wildcard tag live mapping buffer))
.PHONY: test-32bit
test-32bit:
	CGO_ENABLED=0 GOARCH=386 go vet ./...
	CRASH_STATES=5000 CGO_ENABLED=0 GOARCH=386 go test -timeout 10m $(PURE)

.PHONY: test-norace
test-norace:
	scripts/gotest.sh '!race' -timeout 10m

.PHONY: planted
planted: ## plant bugs in copies of the buffer's files: its tests must find each
	go test -tags proof -count 1 -timeout 10m -v ./buffer/planted | grep -vE '^ *(=== |--- PASS)'

.PHONY: test-peer
test-peer: ## tests against real brokers, Modbus and OPC UA servers
	CGO_ENABLED=1 scripts/gotest.sh peer -race -timeout 10m

.PHONY: test-ui
test-ui: deps-build ## the page: lint, types, current API types, unit tests
	npm --prefix web/ui run lint
	npm --prefix web/ui test

.PHONY: test-browser
test-browser: build build-demo ## the page in Chromium against the real binary
	go vet -tags ui ./...
	npm --prefix web/ui run e2e

.PHONY: check-package
check-package: deps-package ## packages of all architectures: lintian, unit score, install-run-upgrade-purge
	@$(MAKE) --no-print-directory package ARCH=all
	packaging/check.sh

.PHONY: check-boot
check-boot: check-package ## the packaged service in a booted Debian: sandbox, watchdog, upgrade
	packaging/check-boot.sh

.PHONY: fuzz
fuzz: ## every fuzz function for FUZZTIME (default 20s)
	scripts/fuzz.sh

.PHONY: bench
bench: build ## all benchmarks, and the programs in bench/
	scripts/bench.sh

.PHONY: proof
proof: deps ## long runs: outages, kills, fuzzing (ROUNDS, FUZZTIME)
	scripts/proof.sh

# 500 cuts are the long run: make proof-powercut CUTS=500
CUTS ?= 50
.PHONY: proof-powercut
proof-powercut: ## cut the power of a real kernel under the buffer (CUTS, default 50)
	@scripts/deps.sh powercut
	CGO_ENABLED=0 go build -o build/powercut/powercut ./buffer/powercut
	build/powercut/powercut -cuts $(CUTS)

.PHONY: clean
clean: ## remove what was built (not the npm packages)
	rm -rf bin build dist web/dist
