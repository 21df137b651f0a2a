# What people and CI run. `make check` changes nothing.

GO ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build run test check race

build: ## the program, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/freshet ./cmd/freshet

run: ## publish the example blog to the embedded cloud
	$(GO) run ./cmd/freshet deploy -C examples/blog

test: ## every test; no network, no credentials
	$(GO) test ./...

race: ## again where goroutines live, with the race detector
	$(GO) test -race -shuffle=on ./internal/publish/... ./internal/cloud/... ./internal/project/dev/... ./internal/testenv/...

check: ## format, vet, staticcheck, layers, tidy modules
	@unformatted=$$(gofmt -l cmd internal); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) test ./internal/archtest
	$(GO) mod tidy -diff
