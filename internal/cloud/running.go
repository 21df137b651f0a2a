package cloud

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/durable"
)

// Files in the data folder, readable by the owner only.
const (
	credentialsFile = "credentials.json"
	runningFile     = "running.json"
)

// credentials reads the folder's key pair, or makes it at the first start.
func credentials(dir string, random io.Reader) (control.Credentials, error) {
	path := filepath.Join(dir, credentialsFile)
	var keys struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
	}
	data, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(data, &keys); err != nil {
			return control.Credentials{}, fmt.Errorf("read the credentials: %s is damaged; delete it to get new ones", path)
		}
		return control.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return control.Credentials{}, fmt.Errorf("read the credentials: %w", err)
	}
	var b [30]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return control.Credentials{}, fmt.Errorf("make credentials: %w", err)
	}
	keys.AccessKeyID, keys.SecretAccessKey = "FRESHET"+fmt.Sprintf("%X", b[:7]), hex.EncodeToString(b[7:27])
	if data, err = json.Marshal(keys); err != nil {
		return control.Credentials{}, fmt.Errorf("make credentials: %w", err)
	}
	if err := durable.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return control.Credentials{}, fmt.Errorf("make credentials: %w", err)
	}
	return control.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}, nil
}

// announce says in the data folder how to reach this process.
func announce(dir string, info Info) error {
	data, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, runningFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

func withdraw(dir string) error {
	if err := os.Remove(filepath.Join(dir, runningFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// probeTime is how long a process that announced itself has to answer.
const probeTime = 2 * time.Second

// Find looks for a process that runs the cloud of the data folder dir. A file
// that a killed process left behind does not count: the distribution it names
// must answer at its address.
func Find(ctx context.Context, dir string) (info Info, running bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, runningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, fmt.Errorf("look for a running cloud: %w", err)
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return Info{}, false, nil // cut short by a crash: nobody who runs wrote it
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, info.Control+"/2020-05-31/distribution/"+info.Distribution, nil)
	if err != nil {
		return Info{}, false, nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Info{}, false, nil
	}
	defer res.Body.Close()
	// Unsigned, so it is refused, in CloudFront's words.
	return info, res.Header.Get("X-Amzn-Requestid") != "", nil
}
