//go:build !linux

package main

import "errors"

// pty is for Linux; scripts ask [linux] first.
func pty([]string) error { return errors.New("terminals are tested on Linux") }
