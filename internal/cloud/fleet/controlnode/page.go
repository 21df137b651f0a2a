package controlnode

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/listen"
)

//go:embed assets
var assets embed.FS

// bodyTime is how long each piece of a request's body may take to come.
const bodyTime = 10 * time.Second

// page shows the fleet, and lets those who are signed in invalidate.
type page struct {
	s        *Server
	sessions *sessions
	door     *door
	open     bool   // its state is for everybody who reaches it: those on this machine
	secure   bool   // it is reached by TLS alone
	cookie   string // name of the session's
}

// pageHandler is what the page's listener serves.
func (s *Server) pageHandler() (http.Handler, error) {
	base, err := url.Parse(s.info.Page)
	if err != nil {
		return nil, fmt.Errorf("read the page's address: %w", err)
	}
	p := &page{
		s: s, sessions: newSessions(s.opts.Now, rand.Reader), door: newDoor(s.opts.Credentials, s.opts.Now),
		open: s.page.Loopback(), secure: base.Scheme == "https",
	}
	p.cookie = cookieName(base.Port(), p.secure)
	gate := console.Gate{Host: base.Host, TLS: p.secure, Changes: true}
	if p.secure {
		gate.Certified = s.page.Certifies
	}
	return listen.SlowBodies(gate.Guard(p.routes()), bodyTime), nil
}

// cookieName is one that no other node on the same host uses: browsers send the cookies of a host to all its ports. With TLS it is one that no
// other host can set. RFC 6265bis, 4.1.3.2 and 8.5
func cookieName(port string, secure bool) string {
	if secure {
		return "__Host-freshet-" + port
	}
	return "freshet-" + port
}

func (p *page) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		html, err := assets.ReadFile("assets/fleet.html")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html) // a browser that is gone is nobody's error
	})
	mux.HandleFunc("GET /assets/{name}", serveAsset)
	mux.HandleFunc("GET /api/session", p.showSession)
	mux.HandleFunc("POST /api/sign-in", p.signIn)
	mux.HandleFunc("GET /api/fleet", p.seen(func(w http.ResponseWriter, _ *http.Request) { p.s.showStatus(w) }))
	mux.HandleFunc("GET /api/distributions", p.seen(p.showDistributions))
	mux.HandleFunc("GET /api/distributions/{id}/invalidations", p.seen(p.showInvalidations))
	mux.HandleFunc("GET /api/distributions/{id}/invalidations/{invalidation}", p.seen(p.showInvalidation))
	mux.HandleFunc("POST /api/invalidate", p.signedIn(p.invalidate))
	mux.HandleFunc("POST /api/sign-out", p.signedIn(p.signOut))
	return mux
}

// serveAsset answers a file of the page, or of the console's.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data := console.Shared(name)
	if data == nil {
		var err error
		if data, err = assets.ReadFile("assets/" + name); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	console.ServeFile(w, r, name, data)
}

// errNobody: the request comes from nobody who is known.
var errNobody = errors.New("sign in first")

// seen lets read who may see the fleet.
func (p *page) seen(next http.HandlerFunc) http.HandlerFunc {
	if p.open {
		return next
	}
	return p.signedIn(next)
}

// signedIn lets through who is signed in.
func (p *page) signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.known(r) {
			refuse(w, http.StatusUnauthorized, errNobody)
			return
		}
		next(w, r)
	}
}

func (p *page) known(r *http.Request) bool {
	c, err := r.Cookie(p.cookie)
	return err == nil && p.sessions.holds(c.Value)
}

// Session is what a browser may know before it is signed in.
type Session struct {
	Open     bool `json:"open"`      // the state of the fleet is shown without signing in
	Possible bool `json:"possible"`  // the node has keys to sign in with
	SignedIn bool `json:"signed_in"` // this browser is
}

func (p *page) showSession(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, Session{p.open, p.door.possible(), p.known(r)})
}

// keys are what somebody signs in with.
type keys struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// maxKeys and maxBatch are how long a request's body may be in bytes; the latter is the API's own bound.
const (
	maxKeys  = 4 << 10
	maxBatch = 1 << 20
)

func (p *page) signIn(w http.ResponseWriter, r *http.Request) {
	if !p.door.possible() {
		refuse(w, http.StatusForbidden, errors.New("nobody can sign in: the node was started without keys"))
		return
	}
	var given keys
	if !read(w, r, maxKeys, &given) {
		return
	}
	right, err := p.door.try(r.Context(), given.AccessKeyID, given.SecretAccessKey)
	switch {
	case errors.Is(err, errCrowd):
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, err)
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err)
	case !right:
		p.s.opts.Logger.Warn("signing in at the page was refused", "from", from(r)) // what was typed may be a secret in the wrong field
		refuse(w, http.StatusUnauthorized, errors.New("the access key or its secret is wrong"))
	default:
		p.letIn(w, r)
	}
}

// letIn begins a session.
func (p *page) letIn(w http.ResponseWriter, r *http.Request) {
	token, err := p.sessions.begin()
	if err != nil {
		p.s.opts.Logger.Error("no session could be made", "error", err)
		refuse(w, http.StatusInternalServerError, errors.New("no session could be made; the node's log says why"))
		return
	}
	p.s.opts.Logger.Info("signed in at the page", "from", from(r))
	http.SetCookie(w, p.cookieOf(token, int(sessionTime/time.Second)))
	answer(w, http.StatusOK, Session{p.open, true, true})
}

// cookieOf is one that scripts cannot read and pages elsewhere cannot have sent. It is for seconds; less than 0 takes it away.
func (p *page) cookieOf(token string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: p.cookie, Value: token, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteStrictMode,
	}
}

func (p *page) signOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(p.cookie); err == nil {
		p.sessions.end(c.Value)
	}
	http.SetCookie(w, p.cookieOf("", -1))
	answer(w, http.StatusOK, Session{p.open, true, false})
}

// from is the address that a request came from, for the log.
func from(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// batch is an invalidation that is asked for.
type batch struct {
	Distribution string   `json:"distribution"`
	Paths        []string `json:"paths"`
}

// invalidate does what CreateInvalidation does, under a caller reference of its own.
func (p *page) invalidate(w http.ResponseWriter, r *http.Request) {
	var asked batch
	if !read(w, r, maxBatch, &asked) {
		return
	}
	made, err := p.s.server().Invalidate(r.Context(), asked.Distribution, "freshet-page-"+rand.Text(), asked.Paths)
	if err != nil {
		p.refuseAs(w, err)
		return
	}
	p.s.opts.Logger.Info("invalidated at the page", "from", from(r), "distribution", asked.Distribution, "invalidation", made.ID, "items", len(made.Items))
	answer(w, http.StatusCreated, all(made))
}

// refuseAs answers an error as the API does.
func (p *page) refuseAs(w http.ResponseWriter, err error) {
	status, _, words := control.Refusal(err)
	if status >= http.StatusInternalServerError {
		p.s.opts.Logger.Error("the page's request failed", "error", err)
	}
	refuse(w, status, errors.New(words))
}

// read reads a JSON body of at most limit bytes, or answers that it cannot.
func read(w http.ResponseWriter, r *http.Request, limit int64, into any) bool {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("at most %d bytes are read", limit))
		return false
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, errors.New("that is not the JSON that was expected")) // the parser's own words may quote a secret
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a browser that is gone is nobody's error
}
