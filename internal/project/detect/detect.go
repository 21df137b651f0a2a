// Package detect looks at a folder for which no file says what to publish, and
// finds out which folder the site is, and which generator it comes from.
//
// Site promises never to take a generator's sources for the site, and never to
// choose between two folders that could both be meant: it refuses and says
// what to type. It reads names, and of a few files the beginning; it runs
// nothing and writes nothing.
//
// It leaves out output folders that only a program could find in a generator's settings
// (`site:` in freshet.yaml says so), and writing a freshet.yaml. It follows
// the section "The config file" of the design, "With no file at all".
package detect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sentinels for errors.Is. The error's text says what to do.
var (
	// ErrSource says that the folder holds a generator's sources and no built
	// site.
	ErrSource = errors.New("not built")
	// ErrAmbiguous says that several folders could be the site.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrEmpty says that there is nothing to publish.
	ErrEmpty = errors.New("nothing to publish")
)

// Folder is the folder to publish.
type Folder struct {
	// Dir is the folder: what Site was given, or a folder directly in it.
	Dir string
	// Why says in a few words why it is this one, to read after a colon: "the
	// folder itself", "its output folder public/".
	Why string
}

// index is what makes a folder look like a built site.
const index = "index.html"

// outputs are the names that generators give their output folders.
func outputs() []string { return []string{"output", "public", "_site", "dist", "build"} }

// Site says which folder the site is: the output folder of the generator whose
// sources are in dir; else dir itself if it has an index.html; else its one
// output folder that has one; else its one folder called site, www, htdocs, html
// or web that has one; else dir itself if it holds anything to publish.
// Otherwise the error has ErrSource, ErrAmbiguous or ErrEmpty in its chain, or
// it is that of reading a folder.
func Site(dir string) (Folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Folder{}, fmt.Errorf("find the site: %w", err)
	}
	source, generated := generator(dir, entries)
	if generated {
		return builtBy(dir, source)
	}
	if isFile(filepath.Join(dir, index)) {
		return Folder{dir, "the folder itself"}, nil
	}
	switch found := withIndex(dir, outputs()); len(found) {
	case 0:
		return byHand(dir)
	case 1:
		return output(dir, "its output folder", found[0]), nil
	default:
		return Folder{}, several(dir, found)
	}
}

// byHand is a site that nothing generates: in one of the folders that people keep such sites in, or dir itself.
func byHand(dir string) (Folder, error) {
	switch found := withIndex(dir, []string{"site", "www", "htdocs", "html", "web"}); len(found) {
	case 0:
		return plain(dir)
	case 1:
		return output(dir, "the folder", found[0]), nil
	default:
		return Folder{}, several(dir, found)
	}
}

// builtBy is the output folder of a generator whose sources are in dir.
func builtBy(dir string, s Source) (Folder, error) {
	if s.Output != "" && isFile(filepath.Join(dir, s.Output, index)) {
		return output(dir, s.Name+"'s output folder", s.Output), nil
	}
	candidates := slices.DeleteFunc(outputs(), func(name string) bool { return slices.Contains(s.inputs, name) })
	switch found := withIndex(dir, candidates); len(found) {
	case 0:
		if made, err := os.ReadDir(filepath.Join(dir, s.Output)); s.Output != "" && err == nil && len(made) > 0 && !slices.Contains(s.inputs, s.Output) {
			return Folder{}, fmt.Errorf("%w: %s/, %s's output folder in %s, holds no %s; give the site a home page, or write site: %s in freshet.yaml to publish it without one",
				ErrSource, s.Output, s.Name, dir, index, s.Output)
		}
		return Folder{}, fmt.Errorf("%w: %s looks like the source of %s (%s); build it first: %s, or write site: in freshet.yaml if the site is elsewhere",
			ErrSource, dir, s.article(), s.Marker, s.Command)
	case 1:
		return output(dir, "its output folder", found[0]), nil
	default:
		return Folder{}, several(dir, found)
	}
}

func output(dir, why, name string) Folder {
	return Folder{filepath.Join(dir, name), why + " " + name + "/"}
}

func several(dir string, names []string) error {
	return fmt.Errorf("%w: %s in %s each hold an %s; say which one to publish in freshet.yaml: site: %s",
		ErrAmbiguous, strings.Join(names, "/, ")+"/", dir, index, names[0])
}

// plain is dir itself, if it holds a file that can be published.
func plain(dir string) (Folder, error) {
	ok, err := publishable(dir)
	if err != nil {
		return Folder{}, fmt.Errorf("find the site: %w", err)
	}
	if !ok {
		return Folder{}, fmt.Errorf("%w: %s holds no file to publish; say where the site is with -C or with site: in freshet.yaml", ErrEmpty, dir)
	}
	return Folder{dir, "the folder itself"}, nil
}

// publishable reports whether any file in dir or below would be published.
// Names that begin with a dot are not, except .well-known; nor are freshet's
// own files.
func publishable(dir string) (bool, error) {
	found := false
	// DirFS, because WalkDir of filepath does not enter a dir that is a link.
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == ".":
			return nil
		case d.IsDir() && hidden(d.Name()):
			return fs.SkipDir
		case d.IsDir() || hidden(d.Name()) || d.Name() == "freshet.yaml" || d.Name() == "freshet.yml":
			return nil
		}
		found = true
		return fs.SkipAll
	})
	return found, err
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") && name != ".well-known" }

// withIndex are those of the folders in dir that have an index.html.
func withIndex(dir string, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return !isFile(filepath.Join(dir, name, index))
	})
}

// isFile reports whether the path leads to a regular file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
