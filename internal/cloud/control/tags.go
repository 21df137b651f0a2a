package control

import (
	"net/http"
	"slices"
	"strings"
)

// maxTags is how many tags a distribution has. CloudFront Developer Guide, "Tagging a distribution", read 2026-11.
const maxTags = 50

// tag is a name and a value that users give to a distribution. They mean nothing here, and nothing to cache tags.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// parseTags reads a Tags document; a later tag replaces an earlier one of the same key.
func parseTags(doc *node) ([]tag, error) {
	var tags []tag
	for _, n := range doc.child("Items").children() {
		t := tag{n.value("Key"), n.value("Value")}
		if n.name != "Tag" || t.Key == "" || len([]rune(t.Key)) > 128 || len([]rune(t.Value)) > 256 {
			return nil, badRequest("InvalidTagging", "A tag has a key of 1 to 128 characters and a value of at most 256.")
		}
		tags = setTag(tags, t)
	}
	return tags, checkTags(tags)
}

func checkTags(tags []tag) error {
	if len(tags) > maxTags {
		return badRequest("InvalidTagging", "A distribution has at most 50 tags.")
	}
	return nil
}

func setTag(tags []tag, t tag) []tag {
	return append(slices.DeleteFunc(tags, func(o tag) bool { return o.Key == t.Key }), t)
}

// taggedID reads the distribution's id from the query's Resource, an ARN.
func (c *call) taggedID() (string, error) {
	id, ok := strings.CutPrefix(c.query.Get("Resource"), "arn:aws:cloudfront::"+accountID+":distribution/")
	if !ok {
		return "", invalidArgument("The parameter Resource is not the ARN of a distribution: %s.", c.query.Get("Resource"))
	}
	return id, nil
}

func errNoSuchResource() *apiError {
	return notFound("NoSuchResource", "The specified resource does not exist.")
}

func (s *Server) listTags(c *call) (*reply, error) {
	id, err := c.taggedID()
	if err != nil {
		return nil, err
	}
	d, err := s.load(id)
	if hasCode(err, http.StatusNotFound) {
		return nil, errNoSuchResource()
	}
	if err != nil {
		return nil, err
	}
	items := el("Items")
	for _, t := range d.rec.Tags {
		items.kids = append(items.kids, el("Tag", leaf("Key", t.Key), leaf("Value", t.Value)))
	}
	return &reply{body: el("Tags", items)}, nil
}

// changeTags is TagResource and UntagResource, which differ in the query and the document.
func (s *Server) changeTags(c *call) (*reply, error) {
	id, err := c.taggedID()
	if err != nil {
		return nil, err
	}
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	change, err := tagChange(c.query.Get("Operation"), doc)
	if err != nil {
		return nil, err
	}
	err = s.change(c.ctx, func(t *txn) error {
		rec, err := getDistribution(t.Tx, id)
		if hasCode(err, http.StatusNotFound) {
			return errNoSuchResource()
		}
		if err != nil {
			return err
		}
		tags := change(rec.Tags)
		if err := checkTags(tags); err != nil {
			return err
		}
		return t.do(setTags{id, tags})
	})
	return &reply{status: http.StatusNoContent}, err
}

// tagChange reads what is to become of a distribution's tags.
func tagChange(operation string, doc *node) (func([]tag) []tag, error) {
	switch {
	case operation == "Tag" && doc.name == "Tags":
		tags, err := parseTags(doc)
		return func(have []tag) []tag {
			for _, t := range tags {
				have = setTag(have, t)
			}
			return have
		}, err
	case operation == "Untag" && doc.name == "TagKeys":
		keys := doc.items()
		return func(have []tag) []tag {
			return slices.DeleteFunc(have, func(t tag) bool { return slices.Contains(keys, t.Key) })
		}, nil
	}
	return nil, invalidArgument("The parameter Operation is invalid: %s with a %s document.", operation, doc.name)
}
