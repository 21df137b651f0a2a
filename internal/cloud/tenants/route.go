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

// routes are the way from a Host header to a distribution. They are never changed.
type routes struct {
	hosts map[string]route // by domain name and alias, in lower case; none where every name leads to the same
	other route            // by any other name
}

// route leads to one distribution; the zero value to none.
type route struct {
	edge    *edge.Edge
	enabled bool
}

// route makes the routes anew. The caller holds mu.
func (t *Tenants) route() {
	now := &routes{}
	if t.first != nil {
		now.other = route{t.first.edge, t.first.enabled}
	}
	if len(t.byID) > 1 {
		now.hosts = make(map[string]route, len(t.hosts))
		for host, one := range t.hosts {
			now.hosts[host] = route{one.edge, one.enabled}
		}
	} else {
		for _, one := range t.byID {
			now.other = route{one.edge, one.enabled}
		}
	}
	t.routes.Store(now)
}

// Hit answers a plain hit.
func (t *Tenants) Hit(rq *front.Request, resp *front.Response) bool {
	now := t.routes.Load()
	to := now.other
	if now.hosts != nil {
		var ok bool
		if to, ok = now.hosts[string(rq.Host)]; !ok { // as most viewers spell it; this look-up allocates nothing
			to = now.to(string(rq.Host))
		}
	}
	return to.enabled && to.edge.Hit(rq, resp)
}

// ServeHTTP answers what else comes in on the port.
func (t *Tenants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := t.routes.Load()
	to := now.to(r.Host)
	switch {
	case to.edge == nil && now.hosts == nil:
		http.Error(w, "the edge is starting", http.StatusServiceUnavailable)
	case to.edge == nil: // RFC 9110 15.5.20
		http.Error(w, "no distribution has this name", http.StatusMisdirectedRequest)
	case !to.enabled:
		w.Header().Set("X-Cache", edge.Error.String())
		http.Error(w, "the distribution is disabled", http.StatusForbidden)
	default:
		to.edge.ServeHTTP(w, r)
	}
}

// to finds the distribution that a Host header names: by its domain name or an alias, then by an alias like *.example.org, of which the longest
// counts, then the first one, or the only one.
func (r *routes) to(host string) route {
	if r.hosts == nil {
		return r.other
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if found, ok := r.hosts[host]; ok {
		return found
	}
	for {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return r.other
		}
		if found, ok := r.hosts["*."+rest]; ok {
			return found
		}
		host = rest
	}
}
