//go:build !linux && !darwin

package presence

// bootID is "": the system has no name for its boots.
func bootID() string { return "" }
