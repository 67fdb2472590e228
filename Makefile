# Almanac. `make help` lists the targets; only git, make and the Go toolchain are needed for run, build and test.

# The SQL engine's regular expressions are Go's: with ICU they would need a C library on every machine that builds.
export GOFLAGS := -tags=gms_pure_go

DATA_DIR ?= almanac-data
LISTEN   ?= 127.0.0.1:3306
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -X main.version=$(VERSION)
LINT     := GOFLAGS= go tool -modfile=.ci/lint/go.mod

.PHONY: help build run test race race-core fuzz crash bench m5 lint format generate check clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## build bin/almanac
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/almanac ./cmd/almanac

run: build ## build, then start a server with the demo database
	bin/almanac serve --data-dir $(DATA_DIR) --listen $(LISTEN) --demo

test: ## run the tests
	go test -timeout 20m ./...

race: ## run the tests under the race detector
	go test -race -timeout 40m ./...

race-core: ## the race detector on the packages below the SQL engine
	go test -race -timeout 20m ./storage/... ./engine/... ./functions/... ./server/bulk/...

FUZZTIME ?= 20s
fuzz: ## fuzz everything that parses, FUZZTIME each
	@for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

ROUNDS ?= 300
crash: build ## kill a server that is written to, ROUNDS times, and look for what is lost
	go run ./testdata/crash -almanac bin/almanac -rounds $(ROUNDS) $(CRASHFLAGS)

bench: ## run the Go benchmarks (compare two runs with benchstat)
	go test -run '^$$' -bench . -benchmem ./...

m5: build ## measure a store of the M5 data through the real binary (needs ../shared, the MariaDB client, Python)
	$(or $(ALMANAC_PYTHON),python3) testdata/bench/m5.py

generate: ## rewrite what is generated: docs/functions.md
	go generate ./...

lint: ## run the linters (builds them first)
	$(LINT) golangci-lint run ./...

format: ## format the sources
	$(LINT) gofumpt -w cmd server functions engine storage

check: ## the whole gate: format, generated files, lint, race tests
	@test -z "$$($(LINT) gofumpt -l cmd server functions engine storage | tee /dev/stderr)" || (echo 'run: make format' && false)
	$(MAKE) generate && git diff --exit-code
	$(MAKE) lint race

clean: ## remove what was built (not the data)
	rm -rf bin
