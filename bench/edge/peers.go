package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is how to run one server.
type peer struct {
	program string // that must be installed; "" for this one
	version string // arguments that make it say its version
	// command writes what configuration the server needs into dir and returns its command line.
	command func(dir, listen, origin string) ([]string, error)
}

func peers(self string) map[string]peer {
	return map[string]peer{
		"freshet": {command: func(_, listen, origin string) ([]string, error) {
			return []string{"env", "GOMAXPROCS=1", self, "serve", "-listen", listen, "-origin", origin}, nil
		}},
		"freshet-nethttp": {command: func(_, listen, origin string) ([]string, error) {
			return []string{"env", "GOMAXPROCS=1", self, "serve", "-loop=false", "-listen", listen, "-origin", origin}, nil
		}},
		"nginx":         {program: "nginx", version: "-v", command: nginx},
		"varnish":       {program: "varnishd", version: "-V", command: varnish},
		"trafficserver": {program: "traffic_manager", version: "-V", command: trafficServer},
		"squid":         {program: "squid", version: "-v", command: squid},
	}
}

// says returns the first line with which the peer tells its version.
func (p peer) says() string {
	if p.program == "" {
		return "this tree"
	}
	out, _ := exec.Command(p.program, p.version).CombinedOutput() // some say it and fail
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// nginx has one worker, files on tmpfs kept open, and no log.
func nginx(dir, listen, origin string) ([]string, error) {
	conf := fmt.Sprintf(`user root; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log; daemon off;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=20000 inactive=10m; open_file_cache_valid 10m;
  proxy_cache_path %[1]s/cache levels=1:2 keys_zone=c:256m max_size=12g inactive=7d use_temp_path=off;
  upstream o { server %[3]s; keepalive 64; }
  server { listen %[2]s backlog=4096;
    location / {
      proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache c; proxy_cache_key $uri; add_header X-Cache $upstream_cache_status;
    } } }
`, dir, listen, origin)
	path := filepath.Join(dir, "nginx.conf")
	return []string{"nginx", "-c", path}, os.WriteFile(path, []byte(conf), 0o644)
}

// varnish keeps 2 GB in memory; all else is as packaged.
func varnish(dir, listen, origin string) ([]string, error) {
	host, port, _ := strings.Cut(origin, ":")
	path := filepath.Join(dir, "default.vcl")
	vcl := fmt.Sprintf("vcl 4.1;\nbackend default { .host = %q; .port = %q; }\n", host, port)
	return []string{"varnishd", "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", listen, "-f", path, "-s", "malloc,2G"},
		os.WriteFile(path, []byte(vcl), 0o644)
}

// squid is one process with 2 GB in memory, without disk and logs.
func squid(dir, listen, origin string) ([]string, error) {
	host, port, _ := strings.Cut(origin, ":")
	conf := fmt.Sprintf(`http_port %[2]s accel defaultsite=edge.test no-vhost
cache_peer %[3]s parent %[4]s 0 no-query no-digest originserver name=o
http_access allow all
cache_mem 2 GB
maximum_object_size_in_memory 8 MB
max_filedescriptors 8192
access_log none
cache_store_log none
cache_log %[1]s/cache.log
pid_filename %[1]s/pid
coredump_dir %[1]s
visible_hostname edge
shutdown_lifetime 1 second
`, dir, listen, host, port)
	path := filepath.Join(dir, "squid.conf")
	if err := os.Chmod(dir, 0o777); err != nil { // it gives up being root
		return nil, err
	}
	return []string{"squid", "-N", "-f", path}, os.WriteFile(path, []byte(conf), 0o644)
}

// trafficServer has one event thread, 2 GB of memory, its store on tmpfs, and no log.
func trafficServer(dir, listen, origin string) ([]string, error) {
	host, port, _ := strings.Cut(listen, ":")
	root := filepath.Join(dir, "root")
	if out, err := exec.Command("traffic_layout", "init", "--force", "--copy-style=soft", "--path", root).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a run root: %w: %s", err, out)
	}
	etc := filepath.Join(root, "etc")
	for _, sub := range []string{etc, filepath.Join(root, "run"), filepath.Join(root, "log"), filepath.Join(dir, "store")} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(etc+"/as-packaged", os.DirFS("/etc/trafficserver")); err != nil {
		return nil, err
	}
	records, err := trafficServerRecords(filepath.Join(etc, "as-packaged", "records.config"), host, port)
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("sh", "-c", "mv "+etc+"/as-packaged/* "+etc+"/").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("move the configuration: %w: %s", err, out)
	}
	for path, text := range map[string]string{
		"etc/records.config": records,
		"etc/remap.config":   "map / http://" + origin + "/\n",
		"etc/storage.config": filepath.Join(dir, "store") + " 4G\n",
		"etc/plugin.config":  "",
		"runroot.yaml": "prefix: .\nexec_prefix: .\nbindir: ./bin\nsbindir: ./sbin\nsysconfdir: ./etc\ndatadir: ./run\nincludedir: ./include\n" +
			"libdir: ./lib/trafficserver\nlibexecdir: /usr/lib/trafficserver/modules\nlocalstatedir: ./run\nruntimedir: ./run\nlogdir: ./log\n" +
			"cachedir: " + filepath.Join(dir, "store") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return []string{"traffic_manager", "--run-root=" + root}, nil
}

// trafficServerRecords is the packaged records.config with the settings of the measurement.
func trafficServerRecords(packaged, host, port string) (string, error) {
	data, err := os.ReadFile(packaged)
	if err != nil {
		return "", err
	}
	settings := []string{
		"http.server_ports STRING " + port + ":ip-in=" + host,
		"exec_thread.autoconfig INT 0", "exec_thread.limit INT 1", "exec_thread.affinity INT 0", "accept_threads INT 0", "task_threads INT 1",
		"log.logging_enabled INT 0", "cache.ram_cache.size INT 2G", "cache.ram_cache_cutoff INT 8388608",
		"url_remap.remap_required INT 1", "admin.user_id STRING #-1",
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		set := func(s string) bool {
			name, _, _ := strings.Cut(s, " ")
			return strings.Contains(line, "proxy.config."+name+" ")
		}
		replaced := false
		for _, s := range settings {
			replaced = replaced || set(s)
		}
		if !replaced {
			b.WriteString(line)
		}
	}
	for _, s := range settings {
		b.WriteString("CONFIG proxy.config." + s + "\n")
	}
	return b.String(), nil
}
