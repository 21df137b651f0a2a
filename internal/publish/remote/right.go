package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Right is what a target needs to be allowed, one statement of a policy.
type Right struct {
	Sid       string   // what it is for, unique in a policy: ASCII letters and digits, "Objects"
	Actions   []string // "s3:GetObject"; at least one
	Resources []string // ARNs, or "*" for actions that know no resources; at least one
	// PrefixCondition are the prefixes that may be listed, as patterns of the
	// condition key s3:prefix: "blog/*". nil allows all.
	PrefixCondition []string
}

// policyVersion is the version of the policy language, the current one since
// 2012; IAM User Guide, "IAM JSON policy elements: Version", read 2026-11.
const policyVersion = "2012-10-17"

type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// Policy is the IAM policy document that allows the rights and nothing else, as
// indented JSON that ends in a newline, in the order of rights. It fails where
// IAM would refuse the document: without rights, for one without actions or
// resources, and for a Sid that is not unique or holds other characters.
func Policy(rights []Right) ([]byte, error) {
	if len(rights) == 0 {
		return nil, errors.New("write policy: there are no rights")
	}
	doc := policy{Version: policyVersion}
	seen := map[string]bool{}
	for _, r := range rights {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("write policy: right %q: %w", r.Sid, err)
		}
		if seen[r.Sid] {
			return nil, fmt.Errorf("write policy: right %q: it is there twice", r.Sid)
		}
		seen[r.Sid] = true
		doc.Statement = append(doc.Statement, r.statement())
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // keys may hold "&" and "<"
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write policy: %w", err)
	}
	return out.Bytes(), nil
}

func (r Right) statement() statement {
	s := statement{Sid: r.Sid, Effect: "Allow", Action: r.Actions, Resource: r.Resources}
	if r.PrefixCondition != nil {
		s.Condition = map[string]map[string][]string{"StringLike": {"s3:prefix": r.PrefixCondition}}
	}
	return s
}

// check follows the IAM User Guide, "IAM JSON policy elements: Sid", read
// 2026-11.
func (r Right) check() error {
	if r.Sid == "" || len(r.Actions) == 0 || len(r.Resources) == 0 {
		return errors.New("a name, an action and a resource are needed")
	}
	for _, c := range r.Sid {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return errors.New("its name may hold ASCII letters and digits only")
		}
	}
	return nil
}
