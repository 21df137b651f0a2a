# What people and CI run. `make check` changes nothing.

GO ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build run test check race docs release reproduce

build: ## the program, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/freshet ./cmd/freshet

run: ## publish the example blog to the embedded cloud
	$(GO) run ./cmd/freshet deploy -C examples/blog

test: ## every test; no network, no credentials
	$(GO) test ./...

race: ## again where goroutines live, with the race detector
	$(GO) test -race -shuffle=on ./internal/publish/... ./internal/cloud/... ./internal/project/dev/... ./internal/testenv/...

docs: ## the command reference from what the program says, the change log from changes/
	$(GO) run ./cmd/freshet docs docs
	$(GO) run ./tools/changelog

release: ## archives for every system, their parts and sums, in dist/
	$(GO) run ./tools/release -go "$(GO)" -out dist

reproduce: release ## release again, from a fresh clone with an empty build cache, and compare
	@clone=$$(mktemp -d) && trap 'rm -rf "$$clone"' EXIT && git clone -q . "$$clone/elsewhere" && \
	GOCACHE="$$clone/cache" $(MAKE) -C "$$clone/elsewhere" release && \
	cmp dist/SHA256SUMS "$$clone/elsewhere/dist/SHA256SUMS" && echo "both the same: dist/"

check: ## format, vet (also as on Windows and macOS), staticcheck, layers, tidy modules
	@unformatted=$$(gofmt -l cmd internal tools docs); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./cmd/... ./internal/... ./tools/... # bench/ runs on Linux alone
	GOOS=darwin $(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) test ./internal/archtest
	$(GO) mod tidy -diff
