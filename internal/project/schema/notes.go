package schema

import (
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/project/config"
)

// note is what a type does not say about a key.
type note struct {
	text    string   // what it means
	words   []string // what can be written
	pattern string   // of a text
	example string
	shape   shape
}

// shape is how the value is written, where its type does not say.
type shape int

const (
	plain         shape = iota
	oneOrMany           // one text, or a list of them
	size                // bytes: a number, or a text with a unit
	address             // an address, or an object with one
	addressOrNone       // address, or none
	addresses           // an address, or a list of them
	orZero              // a duration, or the number 0
)

// The forms of texts. They take everything that the parser takes.
const (
	durationPattern = `^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w))+)$`
	sizePattern     = `^[0-9]{1,13} ?([kKmMgG][iI]?)?[bB]?$`
	urlPattern      = `^[Hh][Tt][Tt][Pp][Ss]?://`
	bucketPattern   = `^s3://[a-z0-9][a-z0-9.-]*[a-z0-9](/.*)?$`
	regionPattern   = `^[a-z0-9][a-z0-9-]*$`
	idPattern       = `^[A-Za-z0-9]+$`
	namePattern     = `^[A-Za-z0-9][A-Za-z0-9._-]*$`
)

// notes are by path: keys with dots between them, "[]" for each of a list and
// "*" for each name.
func notes() map[string]note {
	all := publishingNotes()
	for _, more := range []map[string]note{edgeNotes(), fleetNotes()} {
		for path, about := range more {
			all[path] = about
		}
	}
	return all
}

func publishingNotes() map[string]note {
	question := []string{config.Auto, config.Always, config.Never}
	return map[string]note{
		"site": {text: "The folder to publish, absolute or relative to this file. Without it freshet looks for the output folder itself.", example: "output"},

		"build":         {text: "How the site is made from its sources."},
		"build.command": {text: "A line for the shell, run in the folder of this file by `freshet build`, `freshet deploy --build` and `freshet dev`.", example: "pelican content -o output -s publishconf.py"},
		"build.clean":   {text: "The files and folders that the build makes: what `freshet clean` removes. Names inside the project, not patterns."},
		"build.watch":   {text: "The files and folders that the build reads: what `freshet dev` watches."},
		"build.image":   {text: "A container image to run the command in, by docker or podman.", example: "python:3.13"},

		"headers":                       {text: "Headers for the objects that match a pattern; the first rule that matches counts. What is left out gets freshet's defaults."},
		"headers[].match":               {text: "Which objects: a pattern over their keys, relative to the site, without a leading slash. ** stands for any folders.", example: "theme/**"},
		"headers[].cache-control":       {text: "How long browsers and caches may keep it.", example: "public, max-age=31536000, immutable"},
		"headers[].content-type":        {text: "The media type, where freshet's own table is not right.", pattern: "/", example: "text/html; charset=utf-8"},
		"headers[].content-disposition": {text: "Whether browsers show or save it.", example: "attachment"},
		"headers[].content-language":    {text: "The language of the text.", example: "en"},
		"headers[].content-encoding":    {text: "How the file is compressed.", example: "gzip"},

		"invalidation":        {text: "How the planner may spend invalidation paths."},
		"invalidation.policy": {text: "exact drops nothing that has not changed; frugal sends the fewest paths; balanced weighs one path as much as ten untouched objects.", words: []string{string(config.Exact), string(config.Balanced), string(config.Frugal)}},
		"invalidation.budget": {text: "Paths a month over all targets; 0 means no limit. CloudFront bills nothing for the first 1,000 of an account."},
		"invalidation.over":   {text: "What happens beyond the budget: send the fewest paths, or refuse.", words: []string{config.OverFrugal, config.OverRefuse}},
		"invalidation.limits": {text: "The pace and sizes that the control API allows.", words: []string{config.LimitsAuto, "cloudfront", "cloudfront-legacy", "none"}},

		"retain": {text: "How long assets of past releases stay reachable, since open pages still name them: 30d, 2w, 36h, or \"0\" for not at all."},

		"targets":                       {text: "The places to publish to, by name. One without a bucket is the embedded cloud of this machine, and the default."},
		"targets.*.bucket":              {text: "The bucket, with the folder in it if the site does not have it for itself. A target without one is the embedded cloud.", pattern: bucketPattern, example: "s3://www.example.org"},
		"targets.*.prefix":              {text: "The folder in the bucket, where bucket does not say it.", example: "blog"},
		"targets.*.region":              {text: "The bucket's AWS region; without it, that of the AWS environment.", pattern: regionPattern, example: "eu-central-1"},
		"targets.*.endpoint":            {text: "An S3-compatible store that is not AWS.", pattern: urlPattern, example: "https://s3.example.org"},
		"targets.*.distribution":        {text: "The id of the CloudFront distribution in front of the bucket, or several; auto finds them by the bucket. Without it nothing is invalidated.", pattern: idPattern, example: "E1EXAMPLE", shape: oneOrMany},
		"targets.*.cloudfront-endpoint": {text: "A CloudFront-compatible control API that is not AWS.", pattern: urlPattern},
		"targets.*.url":                 {text: "Where viewers go, if not to the distribution's own domain.", pattern: urlPattern, example: "https://www.example.org"},

		"urls":         {text: "Overrides what cannot be read from the distribution: under which URLs viewers know an object."},
		"urls.folders": {text: "Whether /a/ and /a show a/index.html.", words: question},
		"urls.query":   {text: "Whether answers are cached by query string.", words: question},
		"urls.clean":   {text: "Whether /x shows x.html."},
	}
}

func edgeNotes() map[string]note {
	return map[string]note{
		"edge":                 {text: "For `freshet edge` alone: one cache on its own in front of any origin."},
		"edge.listen":          {text: "The addresses for viewers: host:port, or an object with a certificate, or a list of these.", example: "0.0.0.0:8080", shape: addresses},
		"edge.origin":          {text: "Where objects come from: an HTTP server, or a bucket.", pattern: "^([Hh][Tt][Tt][Pp][Ss]?|s3)://", example: "s3://my-site"},
		"edge.endpoint":        {text: "An S3-compatible store that is not AWS, for an origin s3://….", pattern: urlPattern},
		"edge.region":          {text: "The region of an origin s3://….", pattern: regionPattern},
		"edge.rules":           {text: "Whose rules of caching count.", words: []string{"cloudfront", "rfc9111"}},
		"edge.memory":          {text: "What cached objects may take in memory.", example: "512MiB", shape: size},
		"edge.disk":            {text: "A folder for what memory does not hold."},
		"edge.disk-size":       {text: "What cached objects may take in that folder.", example: "20GB", shape: size},
		"edge.root-object":     {text: "The object that answers /, without a leading slash.", example: "index.html"},
		"edge.folders":         {text: "Whether /a/ and /a show a/index.html."},
		"edge.tag-header":      {text: "The origin's response header that carries cache tags.", example: "x-amz-meta-cache-tag"},
		"edge.viewer-protocol": {text: "What becomes of plain HTTP.", words: []string{"allow-all", "https-only", "redirect-to-https"}},
		"edge.admin":           {text: "Where metrics, health and the control API are: host:port, or an object with a certificate.", example: "127.0.0.1:9902", shape: address},
		"edge.console":         {text: "Where the page is that shows the edge at work, on this machine: host:port.", example: "127.0.0.1:8081", pattern: addressPattern},
		"edge.state":           {text: "The folder of the control API's history."},
		"edge.access-log":      {text: "stdout, stderr or a file.", example: "stdout"},
		"edge.origin-timeout":  {text: "How long the origin may take to answer."},
		"edge.header-timeout":  {text: "How long a viewer may take to send the head of a request."},
		"edge.idle-timeout":    {text: "How long an idle connection of a viewer is kept."},
		"edge.shutdown-delay":  {text: "How long the edge goes on answering after it was told to stop; 0 is allowed.", shape: orZero},
		"edge.shutdown-grace":  {text: "How long requests may take to end after that."},

		"edge.listen[].address":     {text: "host:port; without a host, every address of this machine.", pattern: addressPattern},
		"edge.listen[].certificate": {text: "A PEM file with the certificate; it goes with key."},
		"edge.listen[].key":         {text: "A PEM file with the certificate's private key."},
		"edge.admin.address":        {text: "host:port; without a host, every address of this machine.", pattern: addressPattern},
		"edge.admin.certificate":    {text: "A PEM file with the certificate; it goes with key."},
		"edge.admin.key":            {text: "A PEM file with the certificate's private key."},
	}
}

// The forms of a fleet's texts.
const (
	addressPattern = `:[+0-9]+$`
	ownNamePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`
	publicPattern  = `^U[A-Z2-7]{55}$`
	serverPattern  = `^((nats|tls)://)?.+:[+0-9]+/?$`
)

func fleetNotes() map[string]note {
	const file = "A PEM file with the certificate; it goes with key."
	const key = "A PEM file with the certificate's private key."
	return map[string]note{
		"edge.control":           {text: "Makes the edge one of a fleet, which has its distributions from control nodes."},
		"edge.control.servers":   {text: "Where the control nodes' logs are: one, or a list of all.", pattern: serverPattern, example: "tls://control-1.example.org:4222", shape: oneOrMany},
		"edge.control.seed":      {text: "The file with the edge's secret key, which `freshet control new-key FILE` makes."},
		"edge.control.authority": {text: "A PEM file with the authority that the logs' certificates come from; without it, those of the system."},
		"edge.control.name":      {text: "The edge's own name, as operators know it; without it, the host's.", pattern: ownNamePattern, example: "edge-1"},
		"edge.control.address":   {text: "Where publishers reach this very edge, to prove deploys there, and to be shown.", pattern: urlPattern, example: "https://edge-1.example.org"},
		"edge.control.lease":     {text: "How long it answers from its cache without hearing of the fleet, from 200ms to 5m; 5s is usual."},
		"edge.control.domain":    {text: "What distributions are found below, as on the control nodes.", example: "cdn.example.org"},

		"control":               {text: "For `freshet control` alone: one control node of a fleet of edges."},
		"control.name":          {text: "The node's own name in the fleet; without it, the host's.", pattern: ownNamePattern, example: "control-1"},
		"control.state":         {text: "The folder of the log and what it amounts to."},
		"control.listen":        {text: "Where the CloudFront API is: host:port, or an object with a certificate.", example: "127.0.0.1:9001", shape: address},
		"control.console":       {text: "Where the page is that shows the fleet: host:port, or an object with a certificate, or none.", example: "127.0.0.1:8081", shape: addressOrNone},
		"control.log":           {text: "Where edges follow the log: host:port, or an object with a certificate.", example: "127.0.0.1:4222", shape: address},
		"control.allow-control": {text: "Public keys that may do everything at the log.", pattern: publicPattern, shape: oneOrMany},
		"control.allow-edge":    {text: "Public keys of the edges that may join, which `freshet control new-key FILE` prints.", pattern: publicPattern, shape: oneOrMany},
		"control.domain":        {text: "What distributions are found below, with a port if viewers need one.", example: "cdn.example.org"},
		"control.distribution":  {text: "An origin to make a distribution for, unless there is one: an HTTP server, or a bucket.", pattern: "^([Hh][Tt][Tt][Pp][Ss]?|s3)://", example: "s3://my-site"},

		"control.cluster":             {text: "Makes the node one of three."},
		"control.cluster.name":        {text: "The three together; the same on all.", pattern: ownNamePattern, example: "fleet"},
		"control.cluster.listen":      {text: "Where the other nodes reach this one: host:port.", pattern: addressPattern, example: "10.0.0.1:4223"},
		"control.cluster.peers":       {text: "Where the other two listen for this one, or all three: host:port."},
		"control.cluster.certificate": {text: "A PEM file with the certificate by which the other nodes know this one."},
		"control.cluster.key":         {text: key},
		"control.cluster.authority":   {text: "A PEM file with the authority of all three nodes' certificates."},

		"control.listen.address":      {text: "host:port; without a host, every address of this machine.", pattern: addressPattern},
		"control.listen.certificate":  {text: file},
		"control.listen.key":          {text: key},
		"control.console.address":     {text: "host:port; without a host, every address of this machine.", pattern: addressPattern},
		"control.console.certificate": {text: file},
		"control.console.key":         {text: key},
		"control.log.address":         {text: "host:port; without a host, every address of this machine.", pattern: addressPattern},
		"control.log.certificate":     {text: file},
		"control.log.key":             {text: key},
	}
}

// form puts what the note says into the schema of the key's type.
func (about note) form(n *Node) *Node {
	if len(about.words) > 0 {
		n.Enum = about.words
	}
	if about.pattern != "" {
		n.Pattern = about.pattern
	}
	switch about.shape {
	case oneOrMany:
		one := &Node{Type: types{"string"}, Pattern: about.pattern}
		n = &Node{AnyOf: []*Node{one, {Type: types{"array", "null"}, Items: one}}}
	case size:
		one := 1
		n = &Node{AnyOf: []*Node{{Type: types{"integer"}, Minimum: &one}, {Type: types{"string"}, Pattern: sizePattern}}}
	case orZero:
		zero := 0
		n = &Node{AnyOf: []*Node{{Type: types{"integer"}, Minimum: &zero}, n}}
	case address:
		n = orAddress(n)
	case addressOrNone:
		n = orAddress(n)
		n.AnyOf = append([]*Node{{Enum: []string{config.NoConsole}}}, n.AnyOf...)
	case addresses:
		item := orAddress(n.Items)
		n = &Node{AnyOf: []*Node{{Type: types{"array"}, Items: item}, item}}
	}
	if about.example != "" {
		n.Examples = []string{about.example}
	}
	return n
}

// orAddress is the object, or the address alone.
func orAddress(object *Node) *Node {
	return &Node{AnyOf: []*Node{{Type: types{"string"}, Pattern: addressPattern}, object}}
}

// dependencies are the keys that go with others.
func dependencies(path string) map[string][]string {
	switch path {
	case "edge.listen[]", "edge.admin", "control.listen", "control.console", "control.log":
		return map[string][]string{"certificate": {"key"}, "key": {"certificate"}}
	case "control.cluster":
		return map[string][]string{"certificate": {"key", "authority"}, "key": {"certificate", "authority"}, "authority": {"certificate", "key"}}
	case "targets.*":
		out := map[string][]string{}
		for _, key := range []string{"region", "endpoint", "distribution", "cloudfront-endpoint", "url"} {
			out[key] = []string{"bucket"}
		}
		return out
	}
	return nil
}

// required are the keys that an object must have.
func required(path string) []string {
	switch path {
	case "headers[]":
		return []string{"match"}
	case "edge.listen[]", "edge.admin", "control.listen", "control.console", "control.log":
		return []string{"address"}
	case "edge.control":
		return []string{"servers"}
	case "control.cluster":
		return []string{"name", "listen", "peers"}
	}
	return nil
}

// days is a duration as people write it.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}
