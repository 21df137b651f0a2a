// No Go code here. This file keeps the examples, whose names a module archive
// cannot hold (tags/ice-out'26), out of github.com/freshet/freshet, so that
// `go install github.com/freshet/freshet/cmd/freshet@latest` works.
module github.com/freshet/freshet/examples

go 1.26
