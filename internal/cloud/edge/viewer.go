package edge

import (
	"net"
	"net/http"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// Viewer is what access logs say of a request besides its path. All of it is as the viewer sent it, and may hold any byte.
type Viewer struct {
	Address   string // IP address, without port
	Protocol  string // such as "HTTP/1.1"
	Host      string // Host header or :authority
	Query     string // without "?"; "" for none
	Referer   string // "" for none
	UserAgent string // "" for none
}

func viewerOf(r *http.Request, rq *request) Viewer {
	return Viewer{
		Address: rq.remote, Protocol: r.Proto, Host: r.Host, Query: rq.query, Referer: r.Referer(), UserAgent: r.UserAgent(),
	}
}

// frontViewer is the same of a request that did not come through net/http.
func frontViewer(rq *front.Request, query string) Viewer {
	v := Viewer{Address: rq.Remote.String(), Protocol: "HTTP/1.1", Host: string(rq.Host), Query: query}
	if host, _, err := net.SplitHostPort(v.Address); err == nil {
		v.Address = host
	}
	for _, f := range rq.Fields {
		switch {
		case v.Referer == "" && f.Is("referer"):
			v.Referer = string(f.Value)
		case v.UserAgent == "" && f.Is("user-agent"):
			v.UserAgent = string(f.Value)
		}
	}
	return v
}
