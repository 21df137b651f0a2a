package edge

import "net/http"

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
