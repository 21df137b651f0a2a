// Package cdn stands in for CloudFront's control API while publishers are measured: it describes one distribution for each bucket, takes
// invalidations, completes them at once, and remembers their paths.
//
// It promises to refuse what is plainly no batch (a wrong count, no caller reference, a path without its slash, another batch under a used reference), and to count
// what a batch drops by a match of its own: it shares no code with freshet's publisher or its embedded cloud. It leaves out signatures, quotas,
// delays and faults: the embedded cloud has those.
//
// It follows the CloudFront API reference, version 2020-05-31, read 2026-11.
package cdn

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Control is the API. The zero value has no distributions.
type Control struct {
	// mu guards what follows, for the length of a request.
	mu            sync.Mutex
	distributions []distribution
	batches       []batch // of all distributions, in the order of their coming; the ID of the first is I1
}

type distribution struct{ id, bucket string }

// batch is one accepted invalidation.
type batch struct {
	distribution, reference string
	items                   []string
	taken                   bool
}

// Add adds a distribution in front of a bucket and returns its ID. A bucket that has one keeps it.
func (c *Control) Add(bucket string) (id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.distributions {
		if d.bucket == bucket {
			return d.id
		}
	}
	id = fmt.Sprintf("EBENCH%08d", len(c.distributions)+1)
	c.distributions = append(c.distributions, distribution{id, bucket})
	return id
}

// Take returns the paths of the batches that a distribution got since the last Take.
func (c *Control) Take(distribution string) (items []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.batches {
		if b := &c.batches[i]; b.distribution == distribution && !b.taken {
			items = append(items, b.items...)
			b.taken = true
		}
	}
	return items
}

// ServeHTTP answers a request.
func (c *Control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // 2020-05-31, distribution, ID, invalidation, ID
	if len(parts) < 2 || parts[1] != "distribution" {
		refuse(w, http.StatusNotFound, "NoSuchResource", "there is nothing at "+r.URL.Path)
		return
	}
	if len(parts) == 2 {
		c.list(w)
		return
	}
	at := slices.IndexFunc(c.distributions, func(d distribution) bool { return d.id == parts[2] })
	if at < 0 {
		refuse(w, http.StatusNotFound, "NoSuchDistribution", "The specified distribution does not exist.")
		return
	}
	d := c.distributions[at]
	switch rest := strings.Join(parts[3:], "/"); {
	case rest == "" && r.Method == http.MethodGet:
		w.Header().Set("ETag", "E1")
		reply(w, http.StatusOK, d.xml())
	case rest == "config" && r.Method == http.MethodGet:
		w.Header().Set("ETag", "E1")
		reply(w, http.StatusOK, "<DistributionConfig "+space+">"+d.config()+"</DistributionConfig>")
	case rest == "invalidation" && r.Method == http.MethodPost:
		c.invalidate(w, r, d)
	case rest == "invalidation" && r.Method == http.MethodGet:
		c.listInvalidations(w, d)
	case len(parts) == 5 && r.Method == http.MethodGet:
		c.invalidation(w, d, parts[4])
	default:
		refuse(w, http.StatusNotFound, "NoSuchResource", "there is nothing at "+r.URL.Path)
	}
}

// invalidate accepts a batch.
func (c *Control) invalidate(w http.ResponseWriter, r *http.Request, d distribution) {
	var sent struct {
		CallerReference string
		Paths           struct {
			Quantity int
			Items    struct{ Path []string }
		}
	}
	if err := xml.NewDecoder(r.Body).Decode(&sent); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", err.Error())
		return
	}
	b := batch{distribution: d.id, reference: sent.CallerReference, items: sent.Paths.Items.Path}
	if why := b.wrong(sent.Paths.Quantity); why != "" {
		refuse(w, http.StatusBadRequest, "InvalidArgument", why)
		return
	}
	for i, old := range c.batches {
		if old.distribution != b.distribution || old.reference != b.reference {
			continue
		}
		if !slices.Equal(old.items, b.items) {
			refuse(w, http.StatusBadRequest, "InvalidArgument", "the caller reference was used for another batch")
			return
		}
		reply(w, http.StatusCreated, b.xml(i))
		return
	}
	c.batches = append(c.batches, b)
	reply(w, http.StatusCreated, b.xml(len(c.batches)-1))
}

// wrong says what is wrong with a batch, or nothing.
func (b batch) wrong(quantity int) string {
	switch {
	case b.reference == "":
		return "a batch needs a caller reference"
	case len(b.items) == 0 || quantity != len(b.items):
		return "the quantity is not the number of paths"
	case slices.ContainsFunc(b.items, func(p string) bool { return !strings.HasPrefix(p, "/") }):
		return "a path begins with a slash"
	}
	return ""
}

func (c *Control) invalidation(w http.ResponseWriter, d distribution, id string) {
	for i, b := range c.batches {
		if b.distribution == d.id && invalidationID(i) == id {
			reply(w, http.StatusOK, b.xml(i))
			return
		}
	}
	refuse(w, http.StatusNotFound, "NoSuchInvalidation", "The specified invalidation does not exist.")
}
