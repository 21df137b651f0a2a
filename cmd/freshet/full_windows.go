package main

import "syscall"

// errNoRoom is ERROR_DISK_FULL. Microsoft, System Error Codes, read 2026-11
const errNoRoom = syscall.Errno(112)
