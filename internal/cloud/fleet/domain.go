package fleet

import (
	"net"
	"net/netip"
	"strings"
)

// DefaultDomain is where a fleet's distributions are found unless it is told otherwise: every name below localhost is this machine (RFC 6761, 6.3).
const DefaultDomain = "cloudfront.localhost"

// DomainOf is the name at which viewers reach a distribution, where all of a fleet's edges are found below a domain: "d" and the id
// in lower case, as CloudFront has it, and the domain with its port, if it has one. A domain that is an address, or localhost, stands for itself: nothing can be below it,
// and a fleet with one distribution answers under every name.
func DomainOf(distribution, domain string) string {
	host, port, err := net.SplitHostPort(domain)
	if err != nil {
		host, port = domain, ""
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" {
		return domain
	}
	name := "d" + strings.ToLower(strings.TrimPrefix(distribution, "E")) + "." + host
	if port == "" {
		return name
	}
	return net.JoinHostPort(name, port)
}
