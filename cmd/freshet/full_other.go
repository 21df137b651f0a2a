//go:build !windows

package main

import "syscall"

// errNoRoom says that a disk is full.
const errNoRoom = syscall.ENOSPC
