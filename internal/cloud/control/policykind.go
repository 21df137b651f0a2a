package control

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// maxPolicies is how many custom policies of one kind there may be. CloudFront Developer Guide, "Quotas", read
// 2026-11; spec: cloudfront 4.2.
const maxPolicies = 20

// maxPolicyComment is the length of a policy's comment in characters. CloudFront API Reference, CachePolicyConfig.
const maxPolicyComment = 128

// policyRecord is a policy: in the file if it is custom, made from a table if it is managed.
type policyRecord struct {
	ID       string    `json:"id"`
	ETag     string    `json:"etag"`
	Modified time.Time `json:"modified"`
	Document []byte    `json:"document"`      // the configuration, such as a CachePolicyConfig document
	Log      uint64    `json:"log,omitempty"` // position in the log of its entry
}

// policyKind is one of the three families of policies, which the API treats alike.
type policyKind struct {
	element string // the policy's element, as in CachePolicy; its configuration is this and Config
	path    string // of the operations, as in cache-policy
	plural  string // for names of operations and codes, as in CachePolicies
	noun    string // for messages, as in "cache policy"
	managed func() []policyRecord
	// check refuses a configuration, completed with what it may leave out.
	check func(doc *node) error
	// of is the policy's ID in a behavior.
	of func(b CacheBehavior) string
}

func cachePolicies() *policyKind {
	return &policyKind{
		element: "CachePolicy", path: "cache-policy", plural: "CachePolicies", noun: "cache policy",
		managed: func() []policyRecord { return managedRecords(ManagedPolicies()) },
		check:   checkCachePolicy,
		of:      func(b CacheBehavior) string { return b.CachePolicyID },
	}
}

func originRequestPolicies() *policyKind {
	return &policyKind{
		element: "OriginRequestPolicy", path: "origin-request-policy", plural: "OriginRequestPolicies", noun: "origin request policy",
		managed: func() []policyRecord { return managedRecords(ManagedOriginRequestPolicies()) },
		check:   checkOriginRequestPolicy,
		of:      func(b CacheBehavior) string { return b.OriginRequestPolicyID },
	}
}

func responseHeadersPolicies() *policyKind {
	return &policyKind{
		element: "ResponseHeadersPolicy", path: "response-headers-policy", plural: "ResponseHeadersPolicies", noun: "response headers policy",
		managed: managedResponseHeaders,
		check:   checkResponseHeadersPolicy,
		of:      func(b CacheBehavior) string { return b.ResponseHeadersPolicyID },
	}
}

func policyKinds() []*policyKind {
	return []*policyKind{cachePolicies(), originRequestPolicies(), responseHeadersPolicies()}
}

// operations are those of the kind; the names follow the service model.
func (k *policyKind) operations() []operation {
	one := k.path + "/{}"
	return []operation{
		{"Create" + k.element, "POST", k.path, k.create},
		{"List" + k.plural, "GET", k.path, k.list},
		{"Get" + k.element, "GET", one, k.get},
		{"Get" + k.element + "Config", "GET", one + "/config", k.getConfig},
		{"Update" + k.element, "PUT", one, k.update},
		{"Delete" + k.element, "DELETE", one, k.remove},
		{"ListDistributionsBy" + k.element + "Id", "GET", "distributionsBy" + k.element + "Id/{}", k.listDistributions},
	}
}

// managedRecord makes the record of a managed policy. Its ETag stays the same as long as its document does.
func managedRecord(id string, config *node) policyRecord {
	data := config.render()
	sum := sha256.Sum256(data)
	return policyRecord{ID: id, ETag: "E" + base32.StdEncoding.EncodeToString(sum[:])[:13], Modified: policiesRead, Document: data}
}

// managedRecords makes the records of policies that have a type.
func managedRecords[P interface {
	id() string
	configNode() *node
}](all []P) []policyRecord {
	var out []policyRecord
	for _, p := range all {
		out = append(out, managedRecord(p.id(), p.configNode()))
	}
	return out
}

// managedByID finds a managed policy.
func (k *policyKind) managedByID(id string) (policyRecord, bool) {
	all := k.managed()
	i := slices.IndexFunc(all, func(r policyRecord) bool { return r.ID == id })
	if i < 0 {
		return policyRecord{}, false
	}
	return all[i], true
}

// find reads one policy, managed or custom; an error with the code NoSuch… without it.
func (k *policyKind) find(tx *bbolt.Tx, id string) (policyRecord, error) {
	if rec, ok := k.managedByID(id); ok {
		return rec, nil
	}
	return k.custom(tx, id)
}

// custom reads one custom policy.
func (k *policyKind) custom(tx *bbolt.Tx, id string) (policyRecord, error) {
	var rec policyRecord
	data := tx.Bucket(policiesBucket).Bucket([]byte(k.path)).Get([]byte(id))
	if data == nil {
		return rec, k.errNoSuch()
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read %s %s: %w", k.noun, id, err)
	}
	return rec, nil
}

// customs reads all custom policies in the order of their IDs.
func (k *policyKind) customs(tx *bbolt.Tx) ([]policyRecord, error) {
	var all []policyRecord
	err := tx.Bucket(policiesBucket).Bucket([]byte(k.path)).ForEach(func(id, data []byte) error {
		var rec policyRecord
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("read %s %s: %w", k.noun, id, err)
		}
		all = append(all, rec)
		return nil
	})
	return all, err
}

// read parses and checks the configuration in a request.
func (k *policyKind) read(c *call) (*node, error) {
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	if root := k.element + "Config"; doc.name != root {
		return nil, errMalformed(errUnexpectedRoot(doc.name, root))
	}
	if doc.value("Name") == "" {
		return nil, invalidArgument("The parameter Name is required.")
	}
	if len([]rune(doc.value("Comment"))) > maxPolicyComment {
		return nil, invalidArgument("The parameter Comment is too long: at most %d characters.", maxPolicyComment)
	}
	if err := doc.checkQuantities(); err != nil {
		return nil, err
	}
	return doc, k.check(doc)
}

// checkName refuses a name that another custom policy has.
func (k *policyKind) checkName(all []policyRecord, id, name string) error {
	for _, rec := range all {
		doc, err := parseXML(rec.Document)
		if err != nil {
			return fmt.Errorf("read %s %s: %w", k.noun, rec.ID, err)
		}
		if rec.ID != id && doc.value("Name") == name {
			return &apiError{http.StatusConflict, k.element + "AlreadyExists", "A " + k.noun + " with this name already exists."}
		}
	}
	return nil
}

// addPolicy stores a new custom policy.
func (s *Server) addPolicy(t *txn, k *policyKind, doc *node) (policyRecord, error) {
	all, err := k.customs(t.Tx)
	if err != nil {
		return policyRecord{}, err
	}
	if err := k.checkName(all, "", doc.value("Name")); err != nil {
		return policyRecord{}, err
	}
	if len(all) >= maxPolicies {
		return policyRecord{}, badRequest("TooMany"+k.plural, fmt.Sprintf("There are %d custom policies of this kind, and no more are allowed.", len(all)))
	}
	rec := policyRecord{Modified: s.now(), Document: doc.render()}
	if rec.ID, err = s.newUUID(); err != nil {
		return rec, err
	}
	if rec.ETag, err = s.newID("E"); err != nil {
		return rec, err
	}
	return rec, t.do(putPolicy{k.path, rec})
}

// replacePolicy stores a new configuration of a custom policy.
func (s *Server) replacePolicy(t *txn, k *policyKind, id, match string, doc *node) (policyRecord, error) {
	rec, err := k.custom(t.Tx, id)
	if err != nil {
		return rec, err
	}
	if err := checkVersion(match, rec.ETag); err != nil {
		return rec, err
	}
	all, err := k.customs(t.Tx)
	if err != nil {
		return rec, err
	}
	if err := k.checkName(all, id, doc.value("Name")); err != nil {
		return rec, err
	}
	rec.Document, rec.Modified = doc.render(), s.now()
	if rec.ETag, err = s.newID("E"); err != nil {
		return rec, err
	}
	if err := t.do(putPolicy{k.path, rec}); err != nil {
		return rec, err
	}
	return rec, s.recheckUsers(t.Tx, k, id)
}

// recheckUsers refuses a change of a policy that a distribution which uses it could not live with.
func (s *Server) recheckUsers(tx *bbolt.Tx, k *policyKind, id string) error {
	users, err := k.users(tx, id)
	if err != nil {
		return err
	}
	for _, d := range users {
		if err := s.checkResolved(d.cfg); err != nil {
			return err
		}
	}
	return nil
}

// users are the distributions that refer to the policy.
func (k *policyKind) users(tx *bbolt.Tx, id string) ([]stored, error) {
	all, err := parseAll(tx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(d stored) bool {
		uses := func(b CacheBehavior) bool { return k.of(b) == id }
		return !uses(d.cfg.DefaultCacheBehavior) && !slices.ContainsFunc(d.cfg.CacheBehaviors, uses)
	}), nil
}

// node is the policy's document.
func (k *policyKind) node(rec policyRecord) (*node, error) {
	config, err := parseXML(rec.Document)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", k.noun, rec.ID, err)
	}
	return el(k.element, leaf("Id", rec.ID), timestamp("LastModifiedTime", rec.Modified), config), nil
}

func (k *policyKind) create(s *Server, c *call) (*reply, error) {
	doc, err := k.read(c)
	if err != nil {
		return nil, err
	}
	var rec policyRecord
	err = s.change(c.ctx, func(t *txn) (err error) {
		rec, err = s.addPolicy(t, k, doc)
		return err
	})
	if err != nil {
		return nil, err
	}
	body, err := k.node(rec)
	return &reply{status: http.StatusCreated, etag: rec.ETag, location: c.base + k.path + "/" + rec.ID, body: body}, err
}

func (k *policyKind) lookUp(s *Server, id string) (rec policyRecord, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		rec, err = k.find(tx, id)
		return err
	})
	return rec, err
}

func (k *policyKind) get(s *Server, c *call) (*reply, error) {
	rec, err := k.lookUp(s, c.args[0])
	if err != nil {
		return nil, err
	}
	body, err := k.node(rec)
	return &reply{etag: rec.ETag, body: body}, err
}

func (k *policyKind) getConfig(s *Server, c *call) (*reply, error) {
	rec, err := k.lookUp(s, c.args[0])
	if err != nil {
		return nil, err
	}
	body, err := parseXML(rec.Document)
	return &reply{etag: rec.ETag, body: body}, err
}

func (k *policyKind) update(s *Server, c *call) (*reply, error) {
	if _, managed := k.managedByID(c.args[0]); managed {
		return nil, badRequest("IllegalUpdate", "The update contains modifications that are not allowed: the policy is managed.")
	}
	if _, err := k.lookUp(s, c.args[0]); err != nil {
		return nil, err
	}
	match, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	doc, err := k.read(c)
	if err != nil {
		return nil, err
	}
	var rec policyRecord
	err = s.change(c.ctx, func(t *txn) (err error) {
		rec, err = s.replacePolicy(t, k, c.args[0], match, doc)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.wakeAll() // the edges of the distributions that use it need the change
	body, err := k.node(rec)
	return &reply{etag: rec.ETag, body: body}, err
}

func (k *policyKind) remove(s *Server, c *call) (*reply, error) {
	id := c.args[0]
	if _, managed := k.managedByID(id); managed {
		return nil, badRequest("IllegalDelete", "You cannot delete a managed policy.")
	}
	err := s.change(c.ctx, func(t *txn) error {
		rec, err := k.custom(t.Tx, id)
		if err != nil {
			return err
		}
		match, err := c.ifMatch()
		if err != nil {
			return err
		}
		if err := checkVersion(match, rec.ETag); err != nil {
			return err
		}
		users, err := k.users(t.Tx, id)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return &apiError{http.StatusConflict, k.element + "InUse", "Cannot delete the " + k.noun + " because it is attached to one or more cache behaviors."}
		}
		return t.do(removePolicy{k.path, id})
	})
	return &reply{status: http.StatusNoContent}, err
}

// list answers one page: the managed policies, then the custom ones, or those of the Type that was asked for.
func (k *policyKind) list(s *Server, c *call) (*reply, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	kind := c.query.Get("Type")
	if kind != "" && kind != "managed" && kind != "custom" {
		return nil, invalidArgument("The parameter Type is invalid: %s.", kind)
	}
	var all []policyRecord
	if kind != "custom" {
		all = k.managed()
	}
	managed := len(all)
	if kind != "managed" {
		err := s.db.View(func(tx *bbolt.Tx) error {
			custom, err := k.customs(tx)
			all = append(all, custom...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return k.listPage(all, managed, p)
}

// listPage is the document of one page of policies, of which the first are managed.
func (k *policyKind) listPage(all []policyRecord, managed int, p page) (*reply, error) {
	types := map[string]string{}
	for i, rec := range all {
		types[rec.ID] = map[bool]string{true: "managed", false: "custom"}[i < managed]
	}
	shown, next, err := cut(all, p, func(r policyRecord) string { return r.ID })
	if err != nil {
		return nil, err
	}
	var items []*node
	for _, rec := range shown {
		one, err := k.node(rec)
		if err != nil {
			return nil, err
		}
		items = append(items, el(k.element+"Summary", leaf("Type", types[rec.ID]), one))
	}
	body := list(k.element+"List", items...)
	body.kids = append(body.kids, number("MaxItems", int64(p.max)))
	if next != "" {
		body.kids = append(body.kids, leaf("NextMarker", next))
	}
	return &reply{body: body}, nil
}

// listDistributions answers the IDs of the distributions that use a policy.
func (k *policyKind) listDistributions(s *Server, c *call) (*reply, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	var users []stored
	err = s.db.View(func(tx *bbolt.Tx) error {
		if _, err := k.find(tx, c.args[0]); err != nil {
			return err
		}
		users, err = k.users(tx, c.args[0])
		return err
	})
	if err != nil {
		return nil, err
	}
	shown, next, err := cut(users, p, func(d stored) string { return d.rec.ID })
	if err != nil {
		return nil, err
	}
	var items []*node
	for _, d := range shown {
		items = append(items, leaf("DistributionId", d.rec.ID))
	}
	return &reply{body: p.list("DistributionIdList", next, items)}, nil
}

func (k *policyKind) errNoSuch() *apiError {
	return notFound("NoSuch"+k.element, "The specified "+k.noun+" does not exist.")
}
