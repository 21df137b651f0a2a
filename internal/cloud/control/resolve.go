package control

import (
	"go.etcd.io/bbolt"
)

// resolve fills in the policies of a configuration's behaviors, and returns their versions in one string and
// the position in the log of the last change of any of them. Where a policy is missing it goes on without, and returns the first error
// at the end.
func resolve(tx *bbolt.Tx, cfg *DistributionConfig) (version string, log uint64, err error) {
	behaviors := []*CacheBehavior{&cfg.DefaultCacheBehavior}
	for i := range cfg.CacheBehaviors {
		behaviors = append(behaviors, &cfg.CacheBehaviors[i])
	}
	for _, b := range behaviors {
		v, at, one := b.resolve(tx)
		version += v
		log = max(log, at)
		if err == nil {
			err = one
		}
	}
	return version, log, err
}

func (b *CacheBehavior) resolve(tx *bbolt.Tx) (version string, log uint64, err error) {
	b.Policies = BehaviorPolicies{}
	note := func(rec policyRecord, one error) {
		version += " " + rec.ETag
		log = max(log, rec.Log)
		if err == nil {
			err = one
		}
	}
	if b.CachePolicyID == "" {
		b.Policies.Cache, b.Policies.OriginRequest = b.legacyPolicy(), b.legacyOriginRequest()
	} else {
		note(named(tx, cachePolicies(), b.CachePolicyID, func(id string, doc *node) (err error) {
			b.Policies.Cache, err = decodeCachePolicy(id, doc)
			return err
		}))
	}
	if b.OriginRequestPolicyID != "" {
		note(named(tx, originRequestPolicies(), b.OriginRequestPolicyID, func(id string, doc *node) error {
			p := decodeOriginRequestPolicy(id, doc)
			b.Policies.OriginRequest = &p
			return nil
		}))
	}
	if b.ResponseHeadersPolicyID != "" {
		note(named(tx, responseHeadersPolicies(), b.ResponseHeadersPolicyID, func(id string, doc *node) error {
			p, err := decodeResponseHeadersPolicy(id, doc)
			b.Policies.ResponseHeaders = &p
			return err
		}))
	}
	return version, log, err
}

// named finds a policy, hands its configuration to use, and returns its record.
func named(tx *bbolt.Tx, k *policyKind, id string, use func(id string, doc *node) error) (policyRecord, error) {
	rec, err := k.find(tx, id)
	if err != nil {
		return policyRecord{}, err
	}
	doc, err := parseXML(rec.Document)
	if err != nil {
		return policyRecord{}, err
	}
	return rec, use(rec.ID, doc)
}
