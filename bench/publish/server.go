package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/freshet/freshet/bench/publish/wire"
	"github.com/freshet/freshet/internal/cloud/objects"
)

// keys are those that a server that is started here accepts.
const (
	accessKey = "bench"
	secretKey = "benchbench"
	region    = "us-east-1"
)

// serveS3 is freshet's embedded S3 on a folder, until ctx ends or standard input does: it does not outlive who started it. It prints its address.
func serveS3(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("s3", flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	store, err := objects.Open(*dir, objects.Options{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, store.Close())
	}
	server := &http.Server{Handler: store.Handler(objects.HandlerOptions{
		Credentials: []objects.Credentials{{AccessKeyID: accessKey, SecretAccessKey: secretKey}}, Region: region,
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	fmt.Println(l.Addr())
	ctx, stop := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
		stop()
	}()
	<-ctx.Done()
	err = server.Close()
	<-done // http.ErrServerClosed
	return errors.Join(err, store.Close())
}

// s3 is an S3 server that was started here, or one that runs anyway.
type s3 struct {
	address string // host and port
	cmd     *exec.Cmd
}

const startWait = 20 * time.Second

// startS3 starts the server that the options name, on an empty folder.
func (b *bench) startS3(ctx context.Context, dir string) (*s3, error) {
	if b.opts.endpoint != "" {
		return &s3{address: strings.TrimSuffix(strings.TrimPrefix(b.opts.endpoint, "http://"), "/")}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	switch b.opts.server {
	case "embedded":
		return b.startEmbedded(dir)
	case "versitygw":
		return b.startVersitygw(ctx, dir)
	}
	return nil, fmt.Errorf("find the S3 server %q: it is embedded or versitygw", b.opts.server)
}

func (b *bench) startEmbedded(dir string) (*s3, error) {
	cmd := exec.Command(b.self, "s3", "-dir", dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // open as long as this process lives
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	s := &s3{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	s.address = strings.TrimSpace(line)
	return s, nil
}

// startVersitygw starts a gateway to plain files; extended attributes must work where the scratch folder is.
func (b *bench) startVersitygw(ctx context.Context, dir string) (*s3, error) {
	program, err := b.find("versitygw")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &s3{address: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, "--quiet", "--port", s.address, "posix", dir)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+accessKey, "ROOT_SECRET_ACCESS_KEY="+secretKey)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start versitygw: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if err := wire.WaitFor(ctx, s.address); err != nil {
		s.stop()
		return nil, fmt.Errorf("wait for versitygw: %w", err)
	}
	return s, nil
}

// stop ends the server if it was started here.
func (s *s3) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // if it has ended, Wait says so
	killed := time.AfterFunc(startWait, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait() // it was told to end
	killed.Stop()
}

// find finds a tool's program: where the flag says, in Debian's place, or on PATH.
func (b *bench) find(name string) (string, error) {
	if path := b.opts.programs[name]; path != "" {
		return exec.LookPath(path)
	}
	if path, err := exec.LookPath(filepath.Join("/usr/bin", name)); err == nil {
		return path, nil
	}
	return exec.LookPath(name)
}
