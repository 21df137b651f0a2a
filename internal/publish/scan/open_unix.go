//go:build unix

package scan

import "syscall"

// openFlags keep open from following a link and from waiting for the other end
// of a pipe; open(2).
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
