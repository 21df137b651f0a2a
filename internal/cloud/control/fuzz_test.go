package control

import (
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What parses can be written and parses to the same.
func FuzzParseXML(f *testing.F) {
	f.Add([]byte(`<DistributionConfig><CallerReference>a</CallerReference><Origins><Quantity>0</Quantity></Origins><DefaultCacheBehavior/><Comment/><Enabled>true</Enabled></DistributionConfig>`))
	f.Add([]byte(`<InvalidationBatch><CallerReference>x</CallerReference><Paths><Quantity>1</Quantity><Items><Path>/a&amp;&#xD;</Path></Items></Paths></InvalidationBatch>`))
	f.Add([]byte(`<a:b xmlns:a="http://cloudfront.amazonaws.com/doc/2020-05-31/"><:c/><d:/></a:b>`))
	f.Add([]byte("<a>\n <b>\n </b></a>"))
	f.Add([]byte(sampleConfig))
	for _, k := range policyKinds() {
		for _, rec := range k.managed() {
			f.Add(rec.Document)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parseXML(data)
		if err != nil {
			return
		}
		once := doc.render()
		again, err := parseXML(once)
		if err != nil {
			t.Fatalf("%q does not parse: %v", once, err)
		}
		if !reflect.DeepEqual(again, doc) {
			t.Fatalf("%q reads back differently, as %q", once, again.render())
		}
		_, _ = parseBatch(doc)
		if checkDocument(doc) == nil {
			fillDefaults(doc)
			if cfg, err := decodeConfig(doc); err == nil {
				_ = checkConfig(cfg)
			}
		}
		for _, k := range policyKinds() {
			if k.check(doc) == nil && k.path == "response-headers-policy" {
				checkSendable(t, doc)
			}
		}
		_, _ = parseTags(doc)
	})
}

// checkSendable fails if an accepted policy has a header that no answer can carry.
func checkSendable(t *testing.T, doc *node) {
	t.Helper()
	p, err := decodeResponseHeadersPolicy("", doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range p.Set {
		if !validHeaderName(h.Name) || !validHeaderValue(h.Value) {
			t.Errorf("accepted %q: %q", h.Name, h.Value)
		}
	}
}

// An accepted path is printable ASCII that RFC 1738 allows raw, or escapes.
func FuzzValidItem(f *testing.F) {
	for _, s := range []string{"/*", "/a~", "#tag", "/%7E", "/%", "", "/é", "#", "/a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, item string) {
		if !validItem(item) {
			return
		}
		if effective([]string{item}) == nil && !strings.Contains(strings.ToUpper(item), "%7E") {
			t.Errorf("%q has no effect", item)
		}
		for _, c := range []byte(item) {
			if c <= ' ' || c > '~' {
				t.Errorf("%q accepted with the byte %#x", item, c)
			}
		}
		if item[0] == '/' && (len(item) > maxPath || strings.ContainsAny(item, "~<>\"#{}|\\^[]`")) {
			t.Errorf("%q accepted", item)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/20261122/r/cloudfront/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0f", 32))
	f.Add("AWS4-HMAC-SHA256 Credential=,,=,Signature")
	f.Fuzz(func(t *testing.T, header string) {
		auth, ok := parseAuthorization(header)
		if ok && len(auth.signature) != 32 {
			t.Errorf("%q: a signature of %d bytes", header, len(auth.signature))
		}
		req, _ := http.NewRequest(http.MethodGet, "http://h/", nil)
		_ = canonicalRequest(req, auth.signedHeaders, nil)
	})
}

// Pages of any size, put together, are the whole list, in order.
func TestCutProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfDistinct(rapid.StringN(1, 4, -1), rapid.ID).Draw(t, "all")
		p := page{max: rapid.IntRange(1, 5).Draw(t, "max")}
		var got []string
		for {
			shown, next, err := cut(all, p, func(s string) string { return s })
			if err != nil || len(shown) > p.max {
				t.Fatalf("page after %q: %v, %v", p.marker, shown, err)
			}
			got = append(got, shown...)
			if p.marker = next; next == "" {
				break
			}
		}
		if strings.Join(got, "\x00") != strings.Join(all, "\x00") {
			t.Fatalf("got %q, want %q", got, all)
		}
	})
}

// Whatever the document, its text survives rendering.
func TestRenderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~\n\r\té日]*`).Draw(t, "text")
		doc := el("A", leaf("B", text))
		got, err := parseXML(doc.render())
		if err != nil || got.value("B") != text {
			t.Fatalf("%q read back as %q, %v", text, got.value("B"), err)
		}
		if !bytes.Contains(doc.render(), []byte("<B>")) {
			t.Fatal("no element")
		}
	})
}

// Text in a hundred thousand pieces takes a moment, not minutes, and elements are counted.
func TestParseXMLIsBounded(t *testing.T) {
	pieces := "<a>" + strings.Repeat("x<!---->", maxBody/8) + "</a>"
	doc, err := parseXML([]byte(pieces))
	if err != nil || len(doc.text) != maxBody/8 {
		t.Errorf("text in pieces: %v", err)
	}
	for n, want := range map[int]bool{maxElements - 1: true, maxElements: false} {
		if _, err := parseXML([]byte("<a>" + strings.Repeat("<b/>", n) + "</a>")); (err == nil) != want {
			t.Errorf("%d elements below the root: %v", n, err)
		}
	}
}
