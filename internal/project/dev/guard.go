package dev

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// guard lets through what names this server. A page of another site whose name
// resolves to this address (DNS rebinding) would otherwise read what is not
// published yet. A name is what such a page needs: addresses are let through.
func guard(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := hostname(r.Host); !known(name, hosts) {
			http.Error(w, "this is freshet dev, and not "+name+".\nIf it is meant to be, start it with\n\n  freshet dev --host "+name,
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// known says whether a name in the Host header means this machine.
func known(name string, hosts []string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	// Every name below localhost is this machine. RFC 6761, 6.3
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(hosts, func(host string) bool { return hostname(host) == name })
}

// hostname is the name in a Host header, in lower case and without port,
// brackets and final stop.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// own lets through what a page of this server asks for, or no page at all:
// programs send neither header.
func own(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "this answers only GET and HEAD", http.StatusMethodNotAllowed)
		case !sameOrigin(r):
			http.Error(w, "this answers only to its own pages", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func sameOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
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
