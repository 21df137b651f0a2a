package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// pty runs a program on a terminal of so many columns and prints all that it
// wrote there, byte for byte: "pty COLUMNS PROGRAM ARGUMENT…". With "-until
// TEXT" in front somebody presses Ctrl-C once TEXT has appeared. Its exit code
// is the program's.
func pty(args []string) error {
	until := ""
	if len(args) > 2 && args[0] == "-until" {
		until, args = args[1], args[2:]
	}
	if len(args) < 2 {
		return errors.New("usage: pty [-until TEXT] COLUMNS PROGRAM ARGUMENT…")
	}
	columns, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		return err
	}
	master, terminal, err := openTerminal(uint16(columns))
	if err != nil {
		return err
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := errors.Join(cmd.Start(), terminal.Close()); err != nil {
		return err
	}
	relay(master, until)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	return err
}

// relay prints what comes from the terminal until its other side is closed,
// which Linux tells as EIO.
func relay(master *os.File, until string) {
	var seen []byte
	part := make([]byte, 4096)
	for {
		n, err := master.Read(part)
		_, _ = os.Stdout.Write(part[:n])
		if err != nil {
			return
		}
		if seen = append(seen, part[:n]...); until != "" && bytes.Contains(seen, []byte(until)) {
			_, _ = master.Write([]byte{3}) // Ctrl-C
			until = ""
		}
	}
}

// openTerminal makes a terminal and the side that a terminal's window has.
// pts(4).
func openTerminal(columns uint16) (master, terminal *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, fmt.Errorf("unlock the terminal: %w", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, fmt.Errorf("name the terminal: %w", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		return nil, nil, fmt.Errorf("size the terminal: %w", err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	return master, terminal, err
}
