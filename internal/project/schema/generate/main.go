// Command generate writes the schema of freshet.yaml into the file that it is
// given, for `go generate`. A test says so when it was forgotten.
package main

import (
	"fmt"
	"os"

	"github.com/freshet/freshet/internal/project/schema"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: generate FILE")
	}
	text, err := schema.JSON()
	if err != nil {
		return fmt.Errorf("make the schema: %w", err)
	}
	return os.WriteFile(args[0], text, 0o644)
}
