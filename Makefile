# What a developer runs. .ci/run runs the same, so that both agree.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-builtin-rules --no-print-directory --warn-undefined-variables

# buf has a module file of its own: its dependencies stay out of the server's.
BUF ?= go tool -modfile=tools.mod buf
BIN := .cache/bin
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.0
GRPCURL := github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
PROTOVALIDATE := github.com/bufbuild/protovalidate@v1.2.2
VALIDATE := buf/validate/validate.proto
CONTRACT := .ci/contract.binpb
# Tests that need more than Go and gcc are modules of their own: `go test ./...` leaves them out.
MODULES := $(addprefix server/systemtest/,conformance $(addprefix interop/,commandline gomodule openapi zitadelgo))

.PHONY: help
help: ## List the targets (default)
	@sed -n 's/^\([a-z_]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: build
build: ## Build ./clientsd
	go build -o clientsd .

.PHONY: test
test: ## Run the tests; needs nothing but Go and gcc
	go test ./...

.PHONY: race
race: ## Run the tests under the race detector
	go test -race ./...

.PHONY: postgres
postgres: ## Run the tests on a PostgreSQL server of their own
	.ci/postgres go test -count=1 ./...

.PHONY: pooler
pooler: ## Run the tests of rotation and contract on PostgreSQL behind PgBouncer
	.ci/pgbouncer go test -count=1 -run 'OpenPostgres' ./server/database
	.ci/pgbouncer go test -count=1 ./server/wiretest/contract ./server/wiretest/rotation

.PHONY: bench
bench: ## Measure; docs/benchmarks.md says how to read it
	go test -run '^$$' -bench . ./server/wiretest/bench

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target with ten thousand inputs
	.ci/fuzz

.PHONY: foreign
foreign: $(BIN)/grpcurl $(BIN)/buf build ## Call the running binary with curl, grpcurl and buf curl
	PATH="$$PWD:$$PWD/$(BIN):$$PATH" go test -C server/systemtest/interop/commandline -count=1 -timeout 5m

# The linters' cache remembers paths: each clone has one of its own.
.PHONY: lint
lint: $(BIN)/golangci-lint third_party ## Check Go and proto files for style and common mistakes
	go vet ./...
	export GOLANGCI_LINT_CACHE="$$PWD/.cache/golangci-lint"
	$(BIN)/golangci-lint run ./...
	for module in $(MODULES); do
	  go -C $$module vet ./...
	  (cd $$module && "$$OLDPWD/$(BIN)/golangci-lint" run --disable gomoddirectives ./...)
	done
	$(BUF) lint
	$(BUF) format --diff --exit-code

.PHONY: tidy
tidy: ## Check that each go.mod is tidy
	for module in . $(MODULES); do go -C $$module mod tidy -diff; done

.PHONY: format
format: $(BIN)/golangci-lint ## Format Go and proto files
	$(BIN)/golangci-lint fmt
	$(BUF) format --write

.PHONY: generate
generate: generate_go generate_ts ## Generate all code again, and plan a migration if the schema changed

.PHONY: generate_go
generate_go: third_party ## Generate gen/go, server/api/openapi, ent/ and the service of the conformance suite again; needs no Node.js
	$(BUF) generate
	go generate ./ent
	$(BUF) generate --template server/api/openapi/buf.gen.yaml
	go run ./server/api/openapi/complete server/api/openapi/openapi.yaml server/api/openapi/additions.yaml
	folder=$$(go -C server/systemtest/conformance mod download -json connectrpc.com/conformance | sed -n 's/^\t"Dir": "\(.*\)",\?$$/\1/p')/proto
	files=$$folder/connectrpc/conformance/v1
	$(BUF) generate "$$folder" --template server/systemtest/conformance/buf.gen.yaml \
	  --path "$$files/config.proto" --path "$$files/server_compat.proto" --path "$$files/service.proto"

.PHONY: generate_ts
generate_ts: third_party gen/ts/node_modules ## Generate gen/ts/src again
	$(BUF) generate --template gen/ts/buf.gen.yaml

gen/ts/node_modules: gen/ts/package-lock.json
	cd gen/ts && npm ci && touch node_modules

.PHONY: sdk
sdk: ## Test the packed TypeScript SDK in Node.js and Chromium
	gen/ts/test/run

.PHONY: apis
apis: ## Call the running binary with ZITADEL's own clients and curl
	.ci/apis

.PHONY: openapi_consumers
openapi_consumers: ## Generate clients from the OpenAPI document, and rotate with one
	.ci/openapi

.PHONY: conformance
conformance: ## Run the Connect project's conformance suite against the protocol stack
	go test -C server/systemtest/conformance -count=1

.PHONY: soak
soak: ## Watch the memory of the binary over ten minutes of mixed load
	go test -C server/systemtest/faults -count=1 -timeout 30m -run Memory -args -soak 10m

.PHONY: linearizable
linearizable: ## Check ten long histories of concurrent calls for linearizability
	go test -count=1 -timeout 10m ./server/systemtest/linearizable -histories 10 -operations 10000

# Not by ./server/systemtest/faults: go test shows what a test prints for its own folder only.
FAULTS := CI=true go test -C server/systemtest/faults -count=1 -timeout 40m -args -faults .

.PHONY: faults
faults: ## Kill, stop and starve the binary under load, long: a quarter of an hour
	$(FAULTS) -cycles 100

.PHONY: faults_short
faults_short: ## Do the same, short: two minutes
	$(FAULTS) -cycles 5

.PHONY: fresh
fresh: ## Check that what is generated is what the tree says
	.ci/fresh

.PHONY: breaking
breaking: third_party ## Check that the contract has not changed incompatibly
	$(BUF) breaking proto --against $(CONTRACT)

.PHONY: image
image: breaking ## Take compatible changes of the contract into the image they are checked against
	$(BUF) build proto --exclude-source-info --output $(CONTRACT)

.PHONY: third_party
third_party: third_party/proto/$(VALIDATE) ## Fetch the proto files of others

third_party/proto/$(VALIDATE): Makefile
	folder=$$(go mod download -json $(PROTOVALIDATE) | sed -n 's/^\t"Dir": "\(.*\)",\?$$/\1/p')
	install -D -m 644 "$$folder/proto/protovalidate/$(VALIDATE)" $@

.PHONY: ci
ci: ## Run all that must pass before a change lands
	.ci/run

# Tools are built from source; a new version here builds them again.
$(BIN)/golangci-lint: Makefile
	GOBIN="$$PWD/$(BIN)" go install $(GOLANGCI_LINT)

$(BIN)/grpcurl: Makefile
	GOBIN="$$PWD/$(BIN)" go install $(GRPCURL)

$(BIN)/buf: Makefile tools.mod
	go build -modfile=tools.mod -o $@ github.com/bufbuild/buf/cmd/buf
