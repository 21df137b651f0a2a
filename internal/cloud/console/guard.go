package console

import (
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// securityHeaders go out with every answer, refusals included.
var securityHeaders = [...][2]string{
	// Nothing inline, nothing from elsewhere, nobody's frame.
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// Guard lets through what a person at this machine asks for at host, an address
// with its port, and nothing that a page of another origin could have sent.
func Guard(host string, next http.Handler) http.Handler { return Gate{Host: host}.Guard(next) }

// Gate says which requests are for a page, and which come from it.
type Gate struct {
	// Host is where the page listens, as host:port. With its port, localhost and 127.0.0.1 are accepted too.
	Host string
	// TLS says that the page is reached by https alone.
	TLS bool
	// Certified says whether the page's certificate is for a name or an address, which is then accepted too, with any port: nobody else can
	// have a browser take them for it. It goes with TLS; nil accepts none.
	Certified func(name string) bool
	// Changes lets through POST, with a body of JSON, which no page elsewhere can send without being asked for its origin first.
	Changes bool
}

// Guard answers what is not for the page, or does not come from it, and passes on the rest.
func (g Gate) Guard(next http.Handler) http.Handler {
	names := g.ownNames()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range securityHeaders {
			w.Header().Set(h[0], h[1])
		}
		host := g.withPort(r.Host)
		switch {
		// DNS rebinding: another site's name that resolves to this address.
		case !slices.Contains(names, host) && !g.certified(host):
			http.Error(w, g.misdirected(), http.StatusMisdirectedRequest)
		case r.Method == http.MethodPost && g.Changes:
			g.change(w, r, next, append(slices.Clip(names), host))
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			g.refuseMethod(w)
		case !g.sameOrigin(r, append(slices.Clip(names), host)) && !isLink(r):
			http.Error(w, "the console answers only to its own page", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// change passes on a POST of the page.
func (g Gate) change(w http.ResponseWriter, r *http.Request, next http.Handler, names []string) {
	switch kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case !g.sameOrigin(r, names):
		http.Error(w, "the console answers only to its own page", http.StatusForbidden)
	case err != nil || kind != "application/json":
		http.Error(w, "the console takes JSON", http.StatusUnsupportedMediaType)
	default:
		next.ServeHTTP(w, r)
	}
}

func (g Gate) refuseMethod(w http.ResponseWriter) {
	allowed, words := "GET, HEAD", "GET and HEAD"
	if g.Changes {
		allowed, words = "GET, HEAD, POST", "GET, HEAD and POST"
	}
	w.Header().Set("Allow", allowed)
	http.Error(w, "the console only answers "+words, http.StatusMethodNotAllowed)
}

func (g Gate) misdirected() string {
	if g.Certified != nil {
		return "this is a freshet console, and its certificate is not for the name that was asked for"
	}
	return "this is the freshet console at " + g.Host + ", and not what was asked for"
}

// certified says whether the certificate is for a host, which has a port.
func (g Gate) certified(host string) bool {
	name, _, err := net.SplitHostPort(host)
	return err == nil && g.TLS && g.Certified != nil && name != "" && g.Certified(name)
}

// ownNames are the values of Host that mean this console whatever its certificate says, each with its port;
// none for a host that is none.
func (g Gate) ownNames() []string {
	host := g.withPort(g.Host)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil
	}
	return []string{host, net.JoinHostPort("localhost", port), net.JoinHostPort("127.0.0.1", port)}
}

func (g Gate) scheme() (name, port string) {
	if g.TLS {
		return "https", "443"
	}
	return "http", "80"
}

// withPort puts host into lower case and adds the port that HTTP clients leave
// out. RFC 9110, 4.2.1 and 4.2.2
func (g Gate) withPort(host string) string {
	host = strings.ToLower(host)
	if _, _, err := net.SplitHostPort(host); err != nil && host != "" {
		_, port := g.scheme()
		return net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return host
}

// sameOrigin says whether the request comes from the console's own page, under
// one of names, or from no page at all. Programs send neither header.
func (g Gate) sameOrigin(r *http.Request, names []string) bool {
	scheme, _ := g.scheme()
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != scheme || !slices.Contains(names, g.withPort(u.Host)) {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// isLink says whether somebody followed a link to the page. The page that has
// the link sees nothing of the answer: Cross-Origin-Opener-Policy cuts the tie.
func isLink(r *http.Request) bool {
	return r.URL.Path == "/" && r.Header.Get("Origin") == "" &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
