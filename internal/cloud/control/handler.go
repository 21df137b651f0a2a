package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// apiVersion is the first segment of every path; spec: cloudfront 1.7.
const apiVersion = "2020-05-31"

// maxBody is the size of a request body in bytes. CloudFront's threshold is not published; 3,000 paths of ordinary
// length need a tenth of it; spec: cloudfront 1.6, BatchTooLarge.
const maxBody = 1 << 20

// defaultPage and maxPage are how many items a page has and may have; spec: cloudfront 1.7 leaves both open.
const (
	defaultPage = 100
	maxPage     = 1000
)

// call is one request, read and routed.
type call struct {
	ctx context.Context // ends with the request

	args   []string // what the path has in place of the pattern's braces
	query  url.Values
	header http.Header
	body   []byte
	behind bool   // the log could not be asked for what is newer
	base   string // absolute URL up to and including the version and a slash
}

// reply is what an operation answers.
type reply struct {
	status   int    // 0 is 200
	etag     string // "" sends none
	location string // "" sends none
	body     *node  // nil sends none
}

// Handler returns the API. It answers any path; mount it at the root of a listener.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	requestID, err := s.newUUID()
	if err != nil {
		s.opts.Logger.Error("request id not made", "error", err)
	}
	answer, err := s.answer(w, r)
	if errors.Is(err, errDropped) {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	if err != nil {
		e := asAPIError(err)
		if e.status >= http.StatusInternalServerError {
			s.opts.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "request_id", requestID, "error", err)
		}
		answer = &reply{status: e.status, body: e.node(requestID)}
	}
	answer.write(w, requestID)
}

// newUUID makes a random UUID (version 4).
func (s *Server) newUUID() (string, error) {
	var b [16]byte
	err := s.randomBytes(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), err
}

func (a *reply) write(w http.ResponseWriter, requestID string) {
	h := w.Header()
	h.Set("x-amzn-RequestId", requestID)
	if a.etag != "" {
		h.Set("ETag", a.etag) // a bare token; spec: cloudfront 5.9
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.body == nil {
		w.WriteHeader(max(a.status, http.StatusOK))
		return
	}
	body := a.body.render()
	h.Set("Content-Type", "text/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(max(a.status, http.StatusOK))
	// A client that is gone is nobody's error.
	_, _ = w.Write(body)
}

// answer reads, authenticates, routes and carries out a request.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) (*reply, error) {
	if !s.begin() {
		return nil, errClosed
	}
	defer s.calls.Done()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errTooLarge()
	}
	if err != nil {
		return nil, badRequest("IncompleteBody", "The request body could not be read.")
	}
	if err := s.authenticate(r, body); err != nil {
		return nil, err
	}
	op, args, err := route(r)
	if err != nil {
		return nil, err
	}
	c := &call{ctx: r.Context(), args: args, query: r.URL.Query(), header: r.Header, body: body, base: baseURL(r)}
	return s.carryOut(op, c)
}

// carryOut runs the operation, or fails as a test has asked.
func (s *Server) carryOut(op operation, c *call) (*reply, error) {
	fault := s.opts.Fault(op.name)
	if fault == nil {
		return s.do(op, c)
	}
	failure := &apiError{cmp.Or(fault.Status, http.StatusServiceUnavailable), fault.Code, fault.Message}
	if fault.AfterEffect {
		if _, err := s.do(op, c); err != nil {
			return nil, err
		}
	}
	if fault.Drop {
		return nil, errDropped
	}
	return nil, failure
}

// do runs the operation on what the log has by now. A list, and what shows a status, is read after catching up, or as it is
// if the log cannot be reached; a refusal that newer entries might lift is given only after that. GetInvalidation, which clients poll,
// waits for the log only if it finds nothing: what it shows of an invalidation does not depend on later entries.
func (s *Server) do(op operation, c *call) (*reply, error) {
	if s.opts.Sync == nil {
		return op.do(s, c)
	}
	var behind error
	reads := op.method == http.MethodGet && op.name != "GetInvalidation"
	if reads {
		behind = s.sync(c.ctx)
		c.behind = behind != nil
	}
	answer, err := op.do(s, c)
	if !hasCode(err, http.StatusNotFound) && !hasCode(err, http.StatusConflict) && !hasCode(err, http.StatusPreconditionFailed) {
		return answer, err
	}
	if behind == nil {
		behind = s.confirm(c.ctx)
	}
	if behind != nil {
		return nil, errUnchanged(behind)
	}
	return op.do(s, c)
}

// sync catches up with the log, within syncWait.
func (s *Server) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	return s.opts.Sync(ctx)
}

// confirm makes sure, within syncWait, that nothing is missing.
func (s *Server) confirm(ctx context.Context) error {
	if s.opts.Confirm == nil {
		return s.sync(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	return s.opts.Confirm(ctx)
}

// errDropped ends a request without an answer.
var errDropped = errors.New("a test wanted no answer")

// baseURL is where the client reached the API.
func baseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/" + apiVersion + "/"
}

// operation is one request shape: a method, a path below the version with {} for what varies, and what carries it
// out.
type operation struct {
	name    string
	method  string
	pattern string
	do      func(*Server, *call) (*reply, error)
}

// operations are the ones that are served.
func operations() []operation {
	all := []operation{
		{"CreateInvalidation", "POST", "distribution/{}/invalidation", (*Server).createInvalidation},
		{"ListInvalidations", "GET", "distribution/{}/invalidation", (*Server).listInvalidations},
		{"GetInvalidation", "GET", "distribution/{}/invalidation/{}", (*Server).getInvalidation},
		{"CreateDistribution", "POST", "distribution", (*Server).createDistribution},
		{"ListDistributions", "GET", "distribution", (*Server).listDistributions},
		{"GetDistribution", "GET", "distribution/{}", (*Server).getDistribution},
		{"DeleteDistribution", "DELETE", "distribution/{}", (*Server).deleteDistribution},
		{"GetDistributionConfig", "GET", "distribution/{}/config", (*Server).getDistributionConfig},
		{"UpdateDistribution", "PUT", "distribution/{}/config", (*Server).updateDistribution},
		{"ListTagsForResource", "GET", "tagging", (*Server).listTags},
		{"TagResource", "POST", "tagging", (*Server).changeTags},
	}
	for _, k := range policyKinds() {
		all = append(all, k.operations()...)
	}
	return all
}

// unserved are operations that people are likely to try; named so that the answer can name them.
func unserved() []operation {
	return []operation{
		{name: "CopyDistribution", method: "POST", pattern: "distribution/{}/copy"},
		{name: "UpdateDistributionWithStagingConfig", method: "PUT", pattern: "distribution/{}/promote-staging-config"},
		{name: "CreateInvalidationForDistributionTenant", method: "POST", pattern: "distribution-tenant/{}/invalidation"},
		{name: "ListInvalidationsForDistributionTenant", method: "GET", pattern: "distribution-tenant/{}/invalidation"},
		{name: "GetInvalidationForDistributionTenant", method: "GET", pattern: "distribution-tenant/{}/invalidation/{}"},
		{name: "CreateFunction", method: "POST", pattern: "function"},
		{name: "ListFunctions", method: "GET", pattern: "function"},
		{name: "CreateOriginAccessControl", method: "POST", pattern: "origin-access-control"},
		{name: "ListOriginAccessControls", method: "GET", pattern: "origin-access-control"},
	}
}

// route finds the operation that the request asks for and what its path has in the braces.
func route(r *http.Request) (operation, []string, error) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/"+apiVersion+"/")
	if !ok {
		return operation{}, nil, notFound("NotFound", fmt.Sprintf("No such resource: %s. The paths of this API begin with /%s/.", r.URL.EscapedPath(), apiVersion))
	}
	for _, op := range operations() {
		if args, ok := op.match(r.Method, path); ok {
			return op, args, nil
		}
	}
	name := "This operation"
	for _, op := range unserved() {
		if _, ok := op.match(r.Method, path); ok {
			name = op.name
		}
	}
	return operation{}, nil, badRequest("UnsupportedOperation",
		fmt.Sprintf("%s is not supported by freshet's embedded cloud: %s %s.", name, r.Method, r.URL.EscapedPath()))
}

// match compares method and path, segment by segment; an empty segment matches nothing.
func (op operation) match(method, path string) (args []string, ok bool) {
	want, have := strings.Split(op.pattern, "/"), strings.Split(path, "/")
	if op.method != method || len(want) != len(have) {
		return nil, false
	}
	for i := range want {
		segment, err := url.PathUnescape(have[i])
		if err != nil || segment == "" || want[i] != "{}" && want[i] != segment {
			return nil, false
		}
		if want[i] == "{}" {
			args = append(args, segment)
		}
	}
	return args, true
}

// document parses the request body.
func (c *call) document() (*node, error) {
	if len(c.body) == 0 {
		return nil, errMissingBody()
	}
	doc, err := parseXML(c.body)
	if err != nil {
		return nil, errMalformed(err)
	}
	return doc, nil
}

// ifMatch reads the version that a change is meant for; spec: cloudfront 5.9.
func (c *call) ifMatch() (string, error) {
	match := c.header.Get("If-Match")
	if !etagToken.MatchString(match) {
		return "", badRequest("InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
	}
	return match, nil
}

// checkVersion compares the version that a client has seen with the current one.
func checkVersion(match, etag string) error {
	if match == etag {
		return nil
	}
	return &apiError{http.StatusPreconditionFailed, "PreconditionFailed",
		"The precondition in one or more of the request fields evaluated to false."}
}

func errUnexpectedRoot(have, want string) error {
	return fmt.Errorf("the root element is %s, not %s", have, want)
}

// page is what a client asks of a list.
type page struct {
	marker string // the last item of the page before; "" is the beginning
	max    int    // 1 to maxPage
}

// page reads Marker and MaxItems.
func (c *call) page() (page, error) {
	p := page{marker: c.query.Get("Marker"), max: defaultPage}
	if given := c.query.Get("MaxItems"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 {
			return page{}, invalidArgument("The parameter MaxItems is invalid: %s.", given)
		}
		p.max = min(n, maxPage)
	}
	return p, nil
}

func errBadMarker(marker string) *apiError {
	return invalidArgument("The parameter Marker is invalid: %s.", marker)
}

// cut returns the items after the marker, at most a page of them, and the next page's marker, "" on the last page.
func cut[T any](all []T, p page, id func(T) string) (shown []T, next string, err error) {
	if p.marker != "" {
		at := slices.IndexFunc(all, func(v T) bool { return id(v) == p.marker })
		if at < 0 {
			return nil, "", errBadMarker(p.marker)
		}
		all = all[at+1:]
	}
	if len(all) > p.max {
		all = all[:p.max]
		next = id(all[p.max-1])
	}
	return all, next, nil
}

// list is the document of one page; NextMarker stands there only if there is a next page; spec: cloudfront 1.7.
func (p page) list(name, next string, items []*node) *node {
	n := el(name, leaf("Marker", p.marker))
	if next != "" {
		n.kids = append(n.kids, leaf("NextMarker", next))
	}
	n.kids = append(n.kids, number("MaxItems", int64(p.max)), boolean("IsTruncated", next != ""))
	n.kids = append(n.kids, list("", items...).kids...)
	return n
}
