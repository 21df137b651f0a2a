package control

import (
	"bytes"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

func openReplica(t *testing.T, path string) *Replica {
	t.Helper()
	r, err := OpenReplica(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// effects applies the entries after those that the replica has.
func effects(t *testing.T, r *Replica, entries [][]byte) (all []Effect) {
	t.Helper()
	for i, data := range entries {
		one, err := r.Apply(uint64(i+1), data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one...)
	}
	if got := r.Applied(); got != uint64(len(entries)) {
		t.Errorf("at %d after %d entries", got, len(entries))
	}
	return all
}

// brief is an effect in a line.
func brief(all []Effect) (lines []string) {
	for _, e := range all {
		lines = append(lines, strings.TrimSpace(e.Kind.String()+" "+e.Distribution+" "+e.Config.Comment+" "+
			e.Config.DefaultCacheBehavior.Policies.Cache.Comment+strings.Join(e.Items, " ")))
	}
	return lines
}

const cacheConfig = `<CachePolicyConfig><Name>mine</Name><Comment>COMMENT</Comment><MinTTL>0</MinTTL><ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip>` +
	`<HeadersConfig><HeaderBehavior>none</HeaderBehavior></HeadersConfig><CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig>` +
	`<QueryStringsConfig><QueryStringBehavior>none</QueryStringBehavior></QueryStringsConfig></ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig>`

// script is one life of a distribution with a policy of its own, at one node; it returns the distribution's id.
func script(t *testing.T, s *Server) (id string) {
	t.Helper()
	do := func(want int, method, path, body string, header ...string) answer {
		t.Helper()
		a := ask(t.Context(), s, method, path, body, header...)
		if a.status != want {
			t.Fatalf("%s %s answered %d %s", method, path, a.status, a.body)
		}
		return a
	}
	policy := do(http.StatusCreated, http.MethodPost, "cache-policy", strings.Replace(cacheConfig, "COMMENT", "p1", 1))
	uses := func(cfg *DistributionConfig) { cfg.DefaultCacheBehavior.CachePolicyID = idIn(policy) }
	made := do(http.StatusCreated, http.MethodPost, "distribution", configXML("a", "one", uses))
	id = idIn(made)
	newDistribution(t, s, "other")
	do(http.StatusCreated, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r1", "/a", "/b%7Ec", "#t"))
	do(http.StatusCreated, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r1", "#t", "/b%7Ec", "/a"))
	do(http.StatusCreated, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r2", "/b%7Ec"))
	do(http.StatusNoContent, http.MethodPost, "tagging?Operation=Tag&Resource=arn:aws:cloudfront::000000000000:distribution/"+id, "<Tags><Items><Tag><Key>k</Key></Tag></Items></Tags>")
	do(http.StatusOK, http.MethodPut, "cache-policy/"+idIn(policy), strings.Replace(cacheConfig, "COMMENT", "p2", 1), "If-Match", policy.header.Get("ETag"))
	off := func(cfg *DistributionConfig) { cfg.Enabled = false }
	now := do(http.StatusOK, http.MethodPut, "distribution/"+id+"/config", configXML("a", "two", uses, off), "If-Match", made.header.Get("ETag"))
	if _, err := s.awaitDeployed(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	do(http.StatusNoContent, http.MethodDelete, "distribution/"+id, "", "If-Match", now.header.Get("ETag"))
	return id
}

// A replica says of each entry what an edge has to do, as a Server tells its Edges.
func TestReplica(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	id := script(t, n.Server)
	left, err := n.Distributions()
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	entries := append(l.all(), EncodeJoin("m", "edge"), EncodeEnd("m"))
	r := openReplica(t, filepath.Join(t.TempDir(), "replica.db"))
	got := effects(t, r, entries)
	want := []string{
		"configure " + id + " one p1", "configure " + left[0].ID, "invalidate " + id + "  /a #t",
		"configure " + id + " one p2", "configure " + id + " two p2", "remove " + id,
	}
	if diff := cmp.Diff(brief(got), want); diff != "" {
		t.Errorf("effects (-got +want):\n%s", diff)
	}
	all, err := r.Distributions()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, []Effect{{Kind: Configure, Distribution: left[0].ID, Config: left[0].Config}}, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("distributions (-got +want):\n%s", diff)
	}
	if again, err := r.Apply(3, entries[2]); again != nil || err != nil {
		t.Errorf("an old entry asks %v, %v", again, err)
	}
	if _, err := r.Apply(uint64(len(entries)+2), entries[0]); err == nil {
		t.Error("a gap was accepted")
	}
	if _, err := r.Apply(uint64(len(entries)+1), []byte{9}); err == nil || r.Applied() != uint64(len(entries)) {
		t.Errorf("an unknown version: %v, at %d", err, r.Applied())
	}
}

// A replica from a snapshot asks for the same as one that had the whole log, from there on.
func TestReplicaFromSnapshot(t *testing.T) {
	l := newLog()
	n := startFleet(t, l, 1, Options{}, prompt)[0]
	script(t, n.Server)
	whole := openReplica(t, filepath.Join(t.TempDir(), "whole.db"))
	entries := l.all()
	for at := range entries {
		s := opened(t, filepath.Join(t.TempDir(), "view.db"))
		applyFrom(t, s, entries[:at])
		var snapshot bytes.Buffer
		if _, err := s.Snapshot(&snapshot); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "replica.db")
		if err := Restore(path, &snapshot); err != nil {
			t.Fatal(err)
		}
		r := openReplica(t, path)
		if r.Applied() != uint64(at) {
			t.Fatalf("at %d, want %d", r.Applied(), at)
		}
		got, err := r.Apply(uint64(at+1), entries[at])
		want, errWhole := whole.Apply(uint64(at+1), entries[at])
		if diff := cmp.Diff(got, want); diff != "" || err != nil || errWhole != nil {
			t.Errorf("entry %d: %v, %v (-got +want):\n%s", at+1, err, errWhole, diff)
		}
		items, err := Invalidations(entries[at])
		if len(want) > 0 && want[0].Kind == Invalidate {
			if diff := cmp.Diff(items, want); diff != "" || err != nil {
				t.Errorf("entry %d without a state: %v (-got +want):\n%s", at+1, err, diff)
			}
		} else if len(items) > 0 || err != nil {
			t.Errorf("entry %d without a state: %v, %v", at+1, items, err)
		}
	}
}

// FuzzEntry: what decodes can be written, decodes to the same, and does not bring down who applies it.
func FuzzEntry(f *testing.F) {
	l := newLog()
	n := startFleet(f, l, 1, Options{Volatile: true, History: 1}, prompt)[0]
	id := newDistribution(f, n.Server, "a")
	for _, ref := range []string{"r", "s"} {
		ask(f.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML(ref, "/a", "#t"))
	}
	ask(f.Context(), n.Server, http.MethodPost, "origin-request-policy", originPolicy("p"))
	for _, data := range l.all() {
		f.Add(data)
	}
	n.stop()
	f.Add(EncodeJoin("m", "edge"))
	f.Add(encodeEntry([]op{end{"m"}, forget{"E1", 7}, removePolicy{"cache-policy", "p"}, removeDistribution{"E1"}, setTags{"E1", []tag{{"k", "v"}}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		ops, err := decodeEntry(data)
		if err != nil {
			return
		}
		again, err := decodeEntry(encodeEntry(ops))
		if err != nil {
			t.Fatalf("%x does not decode: %v", encodeEntry(ops), err)
		}
		if diff := cmp.Diff(again, ops, exported); diff != "" {
			t.Fatalf("reads back differently:\n%s", diff)
		}
		_, _ = Invalidations(data)
	})
}

// exported lets cmp look into operations.
var exported = cmp.AllowUnexported(putDistribution{}, removeDistribution{}, setTags{}, addInvalidation{}, forget{}, putPolicy{}, removePolicy{}, join{}, end{})

// Of an entry that an edge's key added, joinings count alone; of any other everything does, whatever it is.
func TestContent(t *testing.T) {
	joined, ended := op(join{"m", "edge"}), op(end{"n"})
	mixed := encodeEntry([]op{ended, joined, addInvalidation{"E1", invalidationRecord{ID: "I1", Sequence: 1, Items: []string{"/*"}}}, removeDistribution{"E1"}})
	for _, row := range []struct {
		name string
		data []byte
		want []op
	}{
		{"a joining", encodeEntry([]op{joined}), []op{joined}},
		{"an end", encodeEntry([]op{ended}), nil},
		{"a joining among others", mixed, []op{joined}},
		{"nothing", EncodeNothing(), nil},
		{"no entry", []byte("hello"), nil},
		{"no bytes", nil, nil},
		{"cut off", mixed[:len(mixed)-1], nil},
		{"another version", append([]byte{entryVersion + 1}, encodeEntry([]op{joined})[1:]...), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := decodeEntry(Content(fleet.Entry{Sequence: 1, Data: row.data, FromEdge: true}))
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("of an edge: %v, %v, want %v", got, err, row.want)
			}
			if got := Content(fleet.Entry{Sequence: 1, Data: row.data}); !bytes.Equal(got, row.data) {
				t.Errorf("of a control node: %x, want what was added", got)
			}
		})
	}
}
