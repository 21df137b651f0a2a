//go:build !unix

package scan

// openFlags: Windows keeps no pipes in folders.
const openFlags = 0
