package edge

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
)

// interim is a 1xx response on its way to a viewer.
type interim struct {
	status int
	header http.Header
}

// maxInterim is how many interim responses of one origin request wait for the viewer; what exceeds it is dropped.
const maxInterim = 8

// withInterim makes pass be called with every interim response of a request made under the returned context; nil for none.
// 100 (Continue) is between neighbours and not passed on, as is 101, which no request here asks for. RFC 9110 15.2
func withInterim(ctx context.Context, pass func(status int, h http.Header)) context.Context {
	if pass == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(status int, raw textproto.MIMEHeader) error {
			if status > http.StatusSwitchingProtocols {
				h := http.Header(raw).Clone()
				removeHopByHop(h)
				pass(status, h)
			}
			return nil
		},
	})
}

// hints returns what takes interim responses for the viewer who started f, without ever waiting; nil if that viewer takes none.
func (f *flight) hints() func(status int, h http.Header) {
	if f.early == nil {
		return nil
	}
	return func(status int, h http.Header) {
		select {
		case f.early <- interim{status, h}:
		default:
		}
	}
}

// interimWriter writes interim responses to w, as long as nothing else writes to it.
func interimWriter(w http.ResponseWriter) func(status int, h http.Header) {
	return func(status int, h http.Header) {
		to := w.Header()
		for name, values := range h {
			to[name] = values
		}
		w.WriteHeader(status)
		clear(to)
	}
}

// relay passes interim responses on until it is ended, whichever goroutine they come from.
type relay struct {
	mu   sync.Mutex // guards pass; held while one is written
	pass func(status int, h http.Header)
}

// taker returns what passes on; nil if there is nobody to pass to.
func (r *relay) taker() func(status int, h http.Header) {
	if r.pass == nil {
		return nil
	}
	return r.send
}

func (r *relay) send(status int, h http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pass != nil {
		r.pass(status, h)
	}
}

// end returns when nothing is being written any more, and nothing will be.
func (r *relay) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pass = nil
}
