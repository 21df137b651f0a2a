package listing

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reference is the document as encoding/xml reads it.
type reference struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string
	EncodingType          string
	Contents              []struct {
		Key, ETag    string
		Size         int64
		LastModified time.Time
	}
	CommonPrefixes []struct{ Prefix string }
}

func read(t *testing.T, data []byte) (p Page, err error) {
	t.Helper()
	var r reference
	if err := xml.Unmarshal(data, &r); err != nil {
		return p, err
	}
	decode := func(key string) string {
		if r.EncodingType == "url" && err == nil {
			key, err = url.QueryUnescape(key)
		}
		return key
	}
	p.Truncated, p.Token = r.IsTruncated, r.NextContinuationToken
	for _, o := range r.Contents {
		p.Objects = append(p.Objects, Object{decode(o.Key), o.ETag, o.Size, o.LastModified})
	}
	for _, c := range r.CommonPrefixes {
		p.Prefixes = append(p.Prefixes, decode(c.Prefix))
	}
	return p, err
}

const amazon = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>site</Name><Prefix/><NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>` +
	`<Contents><Key>a+b/%C3%BC%2B.html</Key><LastModified>2026-11-22T20:00:00.000Z</LastModified><ETag>&quot;70ee1738b6b21e2c8a43f3a5ab0eee71&quot;</ETag><ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>11</Size><StorageClass>STANDARD</StorageClass><Owner><ID>x</ID><DisplayName/></Owner></Contents>` +
	`<Contents><Key>c</Key><LastModified>2026-11-22T20:00:01Z</LastModified><ETag>"9b2cf535f27731c974343645a3985328-2"</ETag><Size>0</Size></Contents><CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes></ListBucketResult>
`

var documents = []string{
	amazon,
	`<ListBucketResult></ListBucketResult>`,
	"<ListBucketResult>\n\t<IsTruncated>false</IsTruncated>\n\t<Contents>\n\t\t<Key>a&amp;b &lt;&gt;&apos;&#39;&#34;</Key>\n\t</Contents>\n</ListBucketResult>\n",
	`<ListBucketResult><Contents><Key>a%zz</Key></Contents><EncodingType>url</EncodingType></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a%2</Key><Key>日</Key></Contents></ListBucketResult>`,
	// What another reader has to judge.
	`<ListBucketResult><Contents><key>a</key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key><![CDATA[a]]></Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a<!-- b --></Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key a="b">a</Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>&#x1;&unknown;</Key></Contents></ListBucketResult>`,
	"<ListBucketResult><Contents><Key>a\r\nb</Key></Contents></ListBucketResult>",
	"<ListBucketResult><Contents><Key>a\xff</Key></Contents></ListBucketResult>",
	`<ListBucketResult><Contents><Key/><Size> 1</Size></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Size>99999999999999999999</Size></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a</Key></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a</Contents></Key></ListBucketResult>`,
	`<ListBucketResult><Contents>text<Key>a]]></Key></Contents></ListBucketResult>`,
	`<ListBucketResult><A><B><C></B></C></A></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a</Key></Contents>`,
	`<ListBucketResult/>`, `<s3:ListBucketResult></s3:ListBucketResult>`, `<?xml version="1.0" encoding="latin1"?><ListBucketResult></ListBucketResult>`,
	`<Error><Code>InternalError</Code></Error>`, ``, `<`, `</`, `<ListBucketResult`, `<ListBucketResult></ListBucketResult><more/>`,
}

func TestDecode(t *testing.T) {
	var d Decoder
	got, err := d.Decode([]byte(amazon))
	if err != nil {
		t.Fatal(err)
	}
	want := Page{
		Truncated: true, Token: "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", Prefixes: []string{"d/"},
		Objects: []Object{
			{"a b/ü+.html", `"70ee1738b6b21e2c8a43f3a5ab0eee71"`, 11, time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)},
			{"c", `"9b2cf535f27731c974343645a3985328-2"`, 0, time.Date(2026, 11, 22, 20, 0, 1, 0, time.UTC)},
		},
	}
	if diff := cmp.Diff(*got, want); diff != "" {
		t.Errorf("page (-got +want):\n%s", diff)
	}
	for i, doc := range documents {
		_, err := d.Decode([]byte(doc))
		var escape url.EscapeError
		if usual := err == nil || errors.As(err, &escape); usual != (i < 5) {
			t.Errorf("%s: error %v", doc, err)
		}
	}
}

// TestStringsStay: what a page said is not changed by the next one.
func TestStringsStay(t *testing.T) {
	var d Decoder
	doc := func(key string) []byte {
		return []byte("<ListBucketResult><NextContinuationToken>" + key + "</NextContinuationToken><Contents><Key>" + key + "</Key></Contents></ListBucketResult>")
	}
	one, err := d.Decode(doc("first"))
	if err != nil {
		t.Fatal(err)
	}
	key, token := one.Objects[0].Key, one.Token
	if _, err := d.Decode(doc("later")); err != nil || key != "first" || token != "first" {
		t.Errorf("the first page now says %q, %q; %v", key, token, err)
	}
}

// FuzzDecode: what is accepted is what encoding/xml reads.
func FuzzDecode(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		if _, err := d.Decode([]byte(amazon)); err != nil { // so that something could be left over
			t.Fatal(err)
		}
		got, err := d.Decode(data)
		if errors.Is(err, ErrUnusual) {
			return
		}
		want, refErr := read(t, data)
		if (err != nil) != (refErr != nil) {
			t.Fatalf("error %v, encoding/xml: %v", err, refErr)
		}
		if err != nil {
			return
		}
		if a, b := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", want); a != b {
			t.Errorf("got  %s\nwant %s", a, b)
		}
	})
}

// page is a page of n objects as Amazon writes them.
func page(n int) []byte {
	var b strings.Builder
	b.WriteString(amazon[:strings.Index(amazon, "<Contents>")])
	for i := range n {
		fmt.Fprintf(&b, "<Contents><Key>posts/2026/11/a-title-of-a-post-%06d/index.html</Key><LastModified>2026-11-22T20:00:00.000Z</LastModified><ETag>&quot;%032x&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", i, i, i)
	}
	return []byte(b.String() + "</ListBucketResult>")
}

func BenchmarkDecode(b *testing.B) {
	data := page(1000)
	b.Run("this", func(b *testing.B) {
		var d Decoder
		b.ReportAllocs()
		for b.Loop() {
			if p, err := d.Decode(data); err != nil || len(p.Objects) != 1000 {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/xml", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r reference
			if err := xml.Unmarshal(data, &r); err != nil || len(r.Contents) != 1000 {
				b.Fatal(err)
			}
		}
	})
}
