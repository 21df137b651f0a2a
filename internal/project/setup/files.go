package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/freshet/freshet/internal/durable"
	"github.com/freshet/freshet/internal/project/schema"
)

// SchemaFile is where the schema goes if nobody says: beside the config, with a
// name that folder listings hide, and to be committed with it.
const SchemaFile = ".freshet.schema.json"

// ErrExists says that a file is there that is not to be replaced.
var ErrExists = errors.New("is there already")

// Create writes a new file. One that is there already, as a file, a folder or
// a link, stays as it is: the error then has ErrExists in its chain. A file
// that could not be written whole is removed again.
func Create(name string, text []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s %w", name, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the config: %w", errors.Join(err, os.Remove(name)))
	}
	return nil
}

// WriteSchema writes the schema of freshet.yaml for editors. It replaces one
// that freshet wrote; any other file stays, and the error then has ErrExists
// in its chain.
func WriteSchema(name string) error {
	if err := schemaFree(name); err != nil {
		return err
	}
	text, err := schema.JSON()
	if err != nil {
		return fmt.Errorf("make the schema: %w", err)
	}
	if err := durable.WriteFile(name, text, 0o644); err != nil {
		return fmt.Errorf("write the schema: %w", err)
	}
	return nil
}

func schemaFree(name string) error {
	old, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write the schema: %w", err)
	case !schema.Ours(old):
		return fmt.Errorf("%s %w, and is no schema of freshet.yaml", name, ErrExists)
	}
	return nil
}

// Reference is how the config file names the schema: by its path relative to
// the config's folder, or absolute where there is none.
func Reference(configFile, schemaFile string) string {
	rel, err := filepath.Rel(filepath.Dir(configFile), schemaFile)
	if err != nil {
		return filepath.ToSlash(schemaFile)
	}
	return filepath.ToSlash(rel)
}
