package objects

import (
	"net/http"
	"net/url"
	"strings"
)

// Limits of what describes an object, in bytes.
// spec: S3 7.4 and 7.5
const (
	maxKeyLength    = 1024
	maxUserMetadata = 2 << 10 // names without the prefix and values
)

const (
	metaPrefix     = "x-amz-meta-"
	headerTagging  = "X-Amz-Tagging"
	headerRedirect = "X-Amz-Website-Redirect-Location"
)

// storedHeaders are the headers of a PUT that come back with every GET.
// spec: S3 7.5
var storedHeaders = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Type", "Expires", headerRedirect, headerTagging,
}

// metadataOf takes from a request what is stored with the object.
func metadataOf(h http.Header) (map[string]string, error) {
	if err := checkUnsupported(h); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range storedHeaders {
		// A list may come in several lines; RFC 9110, 5.3.
		if v := strings.Join(h.Values(name), ", "); v != "" {
			out[name] = v
		}
	}
	// How the body travelled is not a property of the object.
	// spec: components 6.2, "strip aws-chunked from the stored Content-Encoding"
	if encoding := withoutToken(out["Content-Encoding"], "aws-chunked"); encoding != "" {
		out["Content-Encoding"] = encoding
	} else {
		delete(out, "Content-Encoding")
	}
	if class := h.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		out["X-Amz-Storage-Class"] = class
	}
	return out, userMetadata(h, out)
}

// userMetadata adds x-amz-meta-* to out.
func userMetadata(h http.Header, out map[string]string) error {
	size := 0
	for name, values := range h {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, metaPrefix) {
			continue
		}
		value := strings.Join(values, ",")
		size += len(lower) - len(metaPrefix) + len(value)
		out[lower] = value
	}
	if size > maxUserMetadata {
		return errMetadataTooLarge
	}
	return checkDescription(out)
}

// checkDescription refuses values that S3 refuses.
func checkDescription(out map[string]string) error {
	if to := out[headerRedirect]; to != "" && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") {
		// spec: S3 7.8
		return &apiError{400, "InvalidRedirectLocation", "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."}
	}
	if tags := out[headerTagging]; tags != "" {
		if _, err := url.ParseQuery(tags); err != nil {
			return invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
	}
	return nil
}

// checkUnsupported refuses what would change the meaning of a write and is not
// done here: silence would be a lie.
func checkUnsupported(h http.Header) error {
	switch acl := h.Get("X-Amz-Acl"); acl {
	case "", "private", "bucket-owner-full-control":
	default:
		return errACLNotSupported // as a bucket with "bucket owner enforced", the default of S3 since 2023
	}
	if h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" || strings.HasPrefix(h.Get("X-Amz-Server-Side-Encryption"), "aws:") {
		return errNotImplemented
	}
	if h.Get("X-Amz-Object-Lock-Mode") != "" || h.Get("X-Amz-Object-Lock-Legal-Hold") != "" {
		return errNotImplemented
	}
	return nil
}

// withoutToken removes a token from a comma-separated list and leaves a list
// without it as it was.
func withoutToken(list, token string) string {
	var kept []string
	found := false
	for t := range strings.SplitSeq(list, ",") {
		t = strings.TrimSpace(t)
		switch {
		case strings.EqualFold(t, token):
			found = true
		case t != "":
			kept = append(kept, t)
		}
	}
	if !found {
		return list
	}
	return strings.Join(kept, ", ")
}
