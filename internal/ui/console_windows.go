package ui

import (
	"os"

	"golang.org/x/sys/windows"
)

// interprets makes a console understand escape sequences, which those of
// Windows do once they are asked to. Microsoft, "Console Virtual Terminal
// Sequences", read 2026-11
func interprets(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return false
	}
	if mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0 {
		return true
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
