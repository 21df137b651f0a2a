package disk

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childDir is set for the process that TestKill kills.
const childDir = "FRESHET_DISK_TEST_DIR"

// A process that stores, replaces, invalidates and sweeps as fast as it can is killed in the middle, again and again.
// It prints each invalidation after Accept has returned: whatever it has printed must hold for its successor, and no byte may be wrong.
func TestKill(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(t, dir)
		return
	}
	dir := t.TempDir()
	found := 0
	for round := range 6 {
		least, position := runAndKill(t, dir, 40+round*35)
		r := &rig{t: t, opts: Options{Dir: dir, Bytes: 1 << 20}}
		r.open()
		if r.log.Position() < position {
			t.Errorf("round %d: position %d, after one that said %d", round, r.log.Position(), position)
		}
		for n := range 20 {
			uri := fmt.Sprintf("/%d", n)
			if fill := r.get(uri, 0); fill != 0 {
				found++
				if fill < least[uri] {
					t.Errorf("round %d: %s is fill %d, which an invalidation after fill %d covers", round, uri, fill, least[uri])
				}
			}
		}
		r.stop()
	}
	if found == 0 { // in one round it may be: everything was being replaced
		t.Error("nothing was ever found again")
	}
}

// runChild is the life of the process that is killed. A line "purged URI FILL POSITION" says that an
// invalidation of what the URI held below that fill number, at that position, is complete.
func runChild(t *testing.T, dir string) {
	r := &rig{t: t, opts: Options{Dir: dir, Bytes: 1 << 20}}
	r.open()
	for n := 0; ; n++ {
		uri := fmt.Sprintf("/%d", n*7%20)
		r.Add(r.item(uri, n*997%20_000))
		switch {
		case n%5 == 0:
			other := fmt.Sprintf("/%d", n/5%20)
			position := r.log.Position() + 1
			r.acceptAt(position, other)
			fmt.Printf("purged %s %d %d\n", other, r.fill+1, position)
		case n%37 == 0:
			r.sweep()
		}
	}
}

// runAndKill runs the child until it has printed so many invalidations, kills it, and returns the least fill number for each URI, and the last position.
func runAndKill(t *testing.T, dir string, lines int) (least map[string]uint64, last uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	least = map[string]uint64{}
	in := bufio.NewScanner(out)
	for n := 0; in.Scan(); n++ {
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		var uri string
		var fill, position uint64
		if _, err := fmt.Sscanf(in.Text(), "purged %s %d %d", &uri, &fill, &position); err == nil {
			least[uri], last = fill, position
		} else if !strings.HasPrefix(in.Text(), "purged") {
			t.Errorf("child: %s", in.Text())
		}
	}
	_ = cmd.Wait() // killed
	if len(least) == 0 {
		t.Fatal("the child did nothing")
	}
	return least, last
}
