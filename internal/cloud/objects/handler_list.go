package objects

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
	bolt "go.etcd.io/bbolt"
)

// maxPage is how many entries one answer lists at most.
const maxPage = 1000

type listPartsResult struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int `xml:",omitempty"`
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string     `xml:",omitempty"`
	ChecksumType         string     `xml:",omitempty"`
	Parts                []partItem `xml:"Part"`
}

type partItem struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
}

// listParts lists the parts of an upload in progress.
func (h *handler) listParts(w http.ResponseWriter, c *call) error {
	limit, err := pageSize(c.query.Get("max-parts"))
	if err != nil {
		return err
	}
	after, err := pageMarker(c.query.Get("part-number-marker"))
	if err != nil {
		return err
	}
	out := listPartsResult{
		Bucket: c.bucket, Key: c.key, UploadID: c.query.Get("uploadId"),
		StorageClass: "STANDARD", PartNumberMarker: after, MaxParts: limit,
	}
	err = h.store.view(c.Context(), func(tx *bolt.Tx) error {
		u, err := findUpload(tx, c.bucket, c.key, out.UploadID)
		if err != nil {
			return err
		}
		out.ChecksumAlgorithm, out.ChecksumType = u.Algorithm, u.Type
		parts, err := partsOf(tx, u.ID, after)
		out.fill(parts)
		return err
	})
	if err != nil {
		return err
	}
	return writeXML(w, out)
}

// fill takes one page of the parts.
func (out *listPartsResult) fill(parts []*part) {
	for _, p := range parts {
		if len(out.Parts) == out.MaxParts {
			out.IsTruncated = true
			return
		}
		out.NextPartNumberMarker = p.Number
		out.Parts = append(out.Parts, partItem{p.Number, isoMillis(p.Modified), `"` + p.MD5 + `"`, p.Size})
	}
}

type listUploadsResult struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             string
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []uploadItem   `xml:"Upload"`
	CommonPrefixes     []prefixResult `xml:"CommonPrefixes"`
}

type uploadItem struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	StorageClass string
	Initiated    string
}

type prefixResult struct{ Prefix string }

// listUploads lists the uploads in progress into a bucket, by key and then by
// upload ID.
func (h *handler) listUploads(w http.ResponseWriter, c *call) error {
	limit, err := pageSize(c.query.Get("max-uploads"))
	if err != nil {
		return err
	}
	q := c.query
	out := listUploadsResult{
		Bucket: c.bucket, KeyMarker: q.Get("key-marker"), UploadIDMarker: q.Get("upload-id-marker"),
		Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), EncodingType: q.Get("encoding-type"), MaxUploads: limit,
	}
	var all []*upload
	err = h.store.view(c.Context(), func(tx *bolt.Tx) (err error) {
		if tx.Bucket(objectTable(c.bucket)) == nil {
			return ErrNoBucket
		}
		all, err = uploadsOf(tx, c.bucket)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *upload) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
	})
	out.fill(all)
	return writeXML(w, out)
}

// fill takes one page of the uploads, which are in order.
func (out *listUploadsResult) fill(all []*upload) {
	name := func(s string) string { return s }
	if out.EncodingType == "url" {
		name = gofakes3.URLEncode
	}
	roll := listQuery{prefix: out.Prefix, delimiter: out.Delimiter}
	last := ""
	for _, u := range all {
		prefix, rolled := roll.rollUp(u.Key)
		if !strings.HasPrefix(u.Key, out.Prefix) || !out.isBehindMarker(u, prefix, rolled) || rolled && prefix == last {
			continue
		}
		if len(out.Uploads)+len(out.CommonPrefixes) == out.MaxUploads {
			out.IsTruncated = true
			return
		}
		if rolled {
			last = prefix
			out.CommonPrefixes = append(out.CommonPrefixes, prefixResult{name(prefix)})
			out.NextKeyMarker, out.NextUploadIDMarker = name(prefix), ""
			continue
		}
		out.Uploads = append(out.Uploads, uploadItem{name(u.Key), u.ID, "STANDARD", isoMillis(u.Initiated)})
		out.NextKeyMarker, out.NextUploadIDMarker = name(u.Key), u.ID
	}
	out.NextKeyMarker, out.NextUploadIDMarker = "", ""
}

// isBehindMarker reports whether the page starts before this upload.
func (out *listUploadsResult) isBehindMarker(u *upload, prefix string, rolled bool) bool {
	switch {
	case out.KeyMarker == "":
		return true
	case rolled:
		return prefix > out.KeyMarker
	case u.Key == out.KeyMarker:
		return out.UploadIDMarker != "" && u.ID > out.UploadIDMarker
	}
	return u.Key > out.KeyMarker
}

// createBucket answers CreateBucket. The wish for a region in the body is not
// looked at: there is one region.
func (h *handler) createBucket(w http.ResponseWriter, c *call) error {
	in, err := newIncoming(c.Request, h.auth)
	if err != nil {
		return err
	}
	if _, err := in.message(); err != nil {
		return err
	}
	if err := h.store.CreateBucket(c.Context(), c.bucket); err != nil {
		return err
	}
	w.Header().Set("Location", "/"+c.bucket)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

type locationResult struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Location string   `xml:",chardata"`
}

// location answers GetBucketLocation; us-east-1 is the empty name.
func (h *handler) location(w http.ResponseWriter, c *call) error {
	if err := h.wantBucket(c); err != nil {
		return err
	}
	region := h.region
	if region == "us-east-1" {
		region = ""
	}
	return writeXML(w, locationResult{Location: region})
}

// pageSize reads a max-... parameter: 1,000 by default and at most.
func pageSize(v string) (int, error) {
	if v == "" {
		return maxPage, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, invalidArgument("Provided page size not an integer or within integer range")
	}
	return min(n, maxPage), nil
}

// pageMarker reads a number behind which a page starts; 0 is the start.
func pageMarker(v string) (int, error) {
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, invalidArgument("Provided marker not an integer or within integer range")
	}
	return min(n, maxParts), nil
}
