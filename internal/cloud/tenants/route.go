package tenants

import (
	"net"
	"net/http"
	"strings"

	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// name lets viewers reach one by these names only. The control API gives a name
// to one distribution; while a name moves between two, the later one has it.
func (t *Tenants) name(one *served, hosts []string) {
	for _, host := range one.hosts {
		if t.hosts[host] == one {
			delete(t.hosts, host)
		}
	}
	one.hosts = nil
	for _, host := range hosts {
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		one.hosts = append(one.hosts, host)
		t.hosts[host] = one
	}
}

// Hit answers a plain hit.
func (t *Tenants) Hit(rq *front.Request, resp *front.Response) bool {
	one, enabled := t.reached(string(rq.Host))
	return one != nil && enabled && one.edge.Hit(rq, resp)
}

// ServeHTTP answers what else comes in on the port.
func (t *Tenants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one, enabled := t.reached(r.Host)
	switch {
	case one == nil && t.empty():
		http.Error(w, "the edge is starting", http.StatusServiceUnavailable)
	case one == nil: // RFC 9110 15.5.20
		http.Error(w, "no distribution has this name", http.StatusMisdirectedRequest)
	case !enabled:
		w.Header().Set("X-Cache", edge.Error.String())
		http.Error(w, "the distribution is disabled", http.StatusForbidden)
	default:
		one.edge.ServeHTTP(w, r)
	}
}

func (t *Tenants) empty() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byID) == 0
}

// reached finds the distribution that a Host header names: by its domain name
// or an alias, then by an alias like *.example.org, of which the longest
// counts, then the first one, or the only one; nil for none.
func (t *Tenants) reached(host string) (one *served, enabled bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	one = t.first
	if len(t.byID) > 1 { // every name of the only distribution leads to it
		if found := t.named(host); found != nil {
			one = found
		}
	} else if one == nil {
		for _, one = range t.byID {
			break
		}
	}
	if one == nil {
		return nil, false
	}
	return one, one.enabled
}

func (t *Tenants) named(host string) *served {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if one := t.hosts[host]; one != nil {
		return one
	}
	for {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return nil
		}
		if one := t.hosts["*."+rest]; one != nil {
			return one
		}
		host = rest
	}
}
