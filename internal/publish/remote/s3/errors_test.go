package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/site"
)

var sentinels = []error{
	remote.ErrNotFound, remote.ErrNoBucket, remote.ErrPrecondition, remote.ErrDenied, remote.ErrCredentials,
	remote.ErrTemporary, remote.ErrReferenceReused, remote.ErrContent, remote.ErrUnsupported,
	remote.ErrExpired, remote.ErrClock, remote.ErrRegion, remote.ErrUnreachable, remote.ErrFull,
}

// implied are the kinds that come along with a more particular one.
var implied = map[error]error{remote.ErrExpired: remote.ErrCredentials, remote.ErrRegion: remote.ErrNoBucket}

// wantOnly checks that err is of the kind want and what it implies, or of none.
func wantOnly(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, s := range sentinels {
		if got := errors.Is(err, s); got != (s == want || want != nil && s == implied[want]) {
			t.Errorf("errors.Is(%q, %q) = %v", err, s, got)
		}
	}
}

// refuse answers every request with one error.
func refuse(status int, code, message string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("X-Amz-Request-Id", "REQ42")
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>REQ42</RequestId></Error>", code, message)
		}
	}
}

func page(key site.Key) remote.Put { return remotetest.NewPut(key, []byte("x"), site.Headers{}) }

func ifMatch(p remote.Put) remote.Put { p.If.ETag = "0123"; return p }

func TestErrors(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	putA := func(ctx context.Context, s *s3.Store) error { _, err := s.Put(ctx, page("a")); return err }
	putIf := func(ctx context.Context, s *s3.Store) error { _, err := s.Put(ctx, ifMatch(page("a"))); return err }
	getA := func(ctx context.Context, s *s3.Store) error { _, _, err := s.Get(ctx, "a"); return err }
	headA := func(ctx context.Context, s *s3.Store) error { _, err := s.Head(ctx, "a"); return err }
	copyA := func(ctx context.Context, s *s3.Store) error {
		_, err := s.Copy(ctx, remote.Copy{From: "a", To: "b"})
		return err
	}
	deleteA := func(ctx context.Context, s *s3.Store) error { return s.Delete(ctx, []site.Key{"a"}) }
	list := func(ctx context.Context, s *s3.Store) error {
		return s.List(ctx, "", "", func([]remote.Info) error { return nil })
	}
	dirs := func(ctx context.Context, s *s3.Store) error { _, err := s.Dirs(ctx, "", ""); return err }
	rows := []struct {
		call    func(context.Context, *s3.Store) error
		status  int
		code    string
		message string
		header  []string
		want    error
		text    string // what the error must say besides
	}{
		{getA, 404, "NoSuchKey", "gone", nil, remote.ErrNotFound, "get a: not found"},
		{headA, 404, "", "", nil, remote.ErrNotFound, "head a: not found"},
		{headA, 403, "", "", nil, remote.ErrDenied, "s3:ListBucket on arn:aws:s3:::site"},
		{getA, 404, "NoSuchBucket", "no", nil, remote.ErrNoBucket, "no such bucket"},
		{list, 404, "NoSuchBucket", "no", nil, remote.ErrNoBucket, "list s3://site/p/"},
		{putA, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:PutObject on arn:aws:s3:::site/p/a: AccessDenied: Access Denied (request REQ42)"},
		{putIf, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:PutObject and s3:GetObject on arn:aws:s3:::site/p/a"},
		{copyA, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:GetObject on arn:aws:s3:::site/p/a and s3:PutObject on arn:aws:s3:::site/p/b"},
		{deleteA, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:DeleteObject on arn:aws:s3:::site/p/*"},
		{list, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:ListBucket on arn:aws:s3:::site:"},
		{putA, 403, "InvalidAccessKeyId", "no", nil, remote.ErrCredentials, ""},
		{putA, 403, "SignatureDoesNotMatch", "no", nil, remote.ErrCredentials, ""},
		{putA, 403, "SignatureDoesNotMatch", "Signature expired: 20261122T100000Z is now earlier than 20261122T101500Z", nil, remote.ErrClock, "put a: the clock of this machine is wrong: set it right"},
		{putA, 403, "InvalidSignatureException", "Signature not yet current: 20261122T100000Z is still later than 20261122T094500Z", nil, remote.ErrClock, "set it right"},
		{putA, 400, "ExpiredToken", "The provided token has expired.", nil, remote.ErrExpired, "put a: the credentials have expired: ExpiredToken: The provided token has expired."},
		{putA, 400, "TokenRefreshRequired", "The provided token must be refreshed.", nil, remote.ErrExpired, ""},
		{putA, 400, "InvalidToken", "no", nil, remote.ErrCredentials, ""},
		{putA, 403, "RequestTimeTooSkewed", "no", []string{"Date", "Sun, 22 Nov 2026 18:00:00 GMT"}, remote.ErrClock, "the clock of this machine is wrong: set it right and try again; for the service it is 2026-11-22 18:00:00 UTC"},
		{putA, 301, "PermanentRedirect", "use the other", []string{"X-Amz-Bucket-Region", "us-west-2"}, remote.ErrRegion, "set region: us-west-2"},
		{headA, 301, "", "", []string{"X-Amz-Bucket-Region", "us-west-2"}, remote.ErrRegion, "set region: us-west-2"},
		{headA, 400, "", "", []string{"X-Amz-Bucket-Region", "us-west-2"}, remote.ErrRegion, "set region: us-west-2"},
		{putA, 400, "AuthorizationHeaderMalformed", "the region 'eu-central-1' is wrong; expecting 'us-west-2'", nil, remote.ErrRegion, "put a: wrong region: the bucket site lies in the region us-west-2, not in eu-central-1; set region: us-west-2"},
		{putA, 400, "AuthorizationHeaderMalformed", "a non-empty Access Key (AKID) must be provided in the credential.", nil, remote.ErrCredentials, ""},
		{putA, 301, "PermanentRedirect", "use the other", nil, remote.ErrRegion, "does not lie in the region eu-central-1"},
		{headA, 301, "", "", nil, remote.ErrRegion, "does not lie in the region eu-central-1"},
		{copyA, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", nil, remote.ErrPrecondition, "copy a to b: precondition failed"},
		{copyA, 404, "NoSuchKey", "no", nil, remote.ErrNotFound, "copy a to b: not found"},
		{dirs, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:ListBucket on arn:aws:s3:::site:"},
		{getA, 403, "AccessDenied", "Access Denied", nil, remote.ErrDenied, "s3:GetObject on arn:aws:s3:::site/p/a and, to tell missing objects, s3:ListBucket on arn:aws:s3:::site"},
		{headA, 403, "", "", nil, remote.ErrDenied, "s3:GetObject on arn:aws:s3:::site/p/a"},
		{putA, 412, "PreconditionFailed", "no", nil, remote.ErrPrecondition, ""},
		{putIf, 404, "NoSuchKey", "no", nil, remote.ErrPrecondition, "the object is gone"},
		{putIf, 404, "NoSuchBucket", "no", nil, remote.ErrNoBucket, ""},
		{putA, 409, "ConditionalRequestConflict", "again", nil, remote.ErrTemporary, ""},
		{putA, 409, "OperationAborted", "again", nil, remote.ErrTemporary, ""},
		{putA, 507, "InsufficientStorage", "The disk that holds the bucket is full.", nil, remote.ErrFull, ""},
		{putA, 507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.", nil, remote.ErrFull, ""},
		{putA, 501, "NotImplemented", "A header you provided", nil, remote.ErrUnsupported, ""},
		{putA, 400, "BadDigest", "no", nil, remote.ErrContent, ""},
		{putA, 400, "XAmzContentSHA256Mismatch", "no", nil, remote.ErrContent, ""},
		{putA, 503, "SlowDown", "Please reduce your request rate.", nil, remote.ErrTemporary, "SlowDown"},
		{putA, 503, "", "", nil, remote.ErrTemporary, ""},
		{putA, 500, "InternalError", "no", nil, remote.ErrTemporary, ""},
		{putA, 502, "", "", nil, remote.ErrTemporary, ""},
		{putA, 400, "RequestTimeout", "idle", nil, remote.ErrTemporary, ""},
		{copyA, 200, "InternalError", "a failure inside an answer of 200", nil, remote.ErrTemporary, "inside"},
		{putA, 400, "KeyTooLongError", "Your key is too long", nil, nil, "put a: KeyTooLongError: Your key is too long (request REQ42)"},
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%d %s", r.status, r.code), func(t *testing.T) {
			err := r.call(t.Context(), open(t, refuse(r.status, r.code, r.message, r.header...), "p/"))
			wantOnly(t, err, r.want)
			if !strings.Contains(err.Error(), r.text) {
				t.Errorf("error %q does not say %q", err, r.text)
			}
		})
	}
}

// TestDeniedAbort: both failures say what is missing.
func TestDeniedAbort(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	inner := serve(t)
	store := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "DELETE" || r.Method == "PUT" {
			io.Copy(io.Discard, r.Body)
			refuse(403, "AccessDenied", "no")(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	}), "p/")
	_, err := store.Put(t.Context(), remotetest.NewPut("film", make([]byte, 17<<20), site.Headers{}))
	wantOnly(t, err, remote.ErrDenied)
	for _, right := range []string{"s3:PutObject on arn:aws:s3:::site/p/film", "s3:AbortMultipartUpload on arn:aws:s3:::site/p/film"} {
		if err != nil && !strings.Contains(err.Error(), right) {
			t.Errorf("error %q does not name %s", err, right)
		}
	}
}

func TestErrorsWithoutAnswer(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	cut := func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
	}
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("<ListBucketResult><IsTru"))
	}
	t.Run("cut off", func(t *testing.T) {
		_, err := open(t, http.HandlerFunc(cut), "").Put(t.Context(), page("a"))
		wantOnly(t, err, remote.ErrTemporary)
	})
	t.Run("half of an object", func(t *testing.T) {
		_, _, err := open(t, http.HandlerFunc(half), "").Get(t.Context(), "a")
		wantOnly(t, err, remote.ErrTemporary)
	})
	t.Run("half of a listing", func(t *testing.T) {
		err := open(t, http.HandlerFunc(half), "").List(t.Context(), "", "", func([]remote.Info) error { return nil })
		wantOnly(t, err, remote.ErrTemporary)
	})
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		store := openAt(t, server, "")
		server.Close()
		_, err := store.Put(t.Context(), page("a"))
		wantOnly(t, err, remote.ErrTemporary)
	})
	t.Run("an object that is too large to read at once", func(t *testing.T) {
		huge := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", fmt.Sprint(256<<20+1)) }
		_, _, err := open(t, http.HandlerFunc(huge), "").Get(t.Context(), "a")
		if err == nil || !strings.Contains(err.Error(), "more than the 268435456") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the caller's deadline", func(t *testing.T) {
		hang := make(chan struct{})
		store := open(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }), "")
		t.Cleanup(func() { close(hang) })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, _, err := store.Get(ctx, "a")
		wantOnly(t, err, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCredentials(t *testing.T) {
	isolate(t)
	server := httptest.NewServer(refuse(500, "InternalError", "no request may arrive"))
	t.Cleanup(server.Close)
	t.Run("none", func(t *testing.T) {
		store, err := s3.Open(t.Context(), s3.Options{Bucket: bucket, Endpoint: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Put(t.Context(), page("a"))
		wantOnly(t, err, remote.ErrCredentials)
	})
	t.Run("no such profile", func(t *testing.T) {
		_, err := s3.Open(t.Context(), s3.Options{Bucket: bucket, Profile: "nobody"})
		wantOnly(t, err, remote.ErrCredentials)
	})
	t.Run("printing", func(t *testing.T) {
		text := fmt.Sprintf("%v %+v %#v %s %q %v", keys, keys, keys, keys, keys, s3.Options{Credentials: keys})
		if strings.Contains(text, keys.SecretAccessKey) || strings.Contains(text, keys.AccessKeyID) {
			t.Errorf("credentials print as %s", text)
		}
	})
}

// TestRetry counts requests: a plain write is repeated after a failure of
// unknown outcome, a conditional one only where it was certainly refused.
func TestRetry(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	absent := page("a")
	absent.If.Absent = true
	rows := []struct {
		name   string
		put    remote.Put
		status int
		code   string
		want   int64
	}{
		{"plain, unknown outcome", page("a"), 500, "InternalError", 2},
		{"plain, throttled", page("a"), 503, "SlowDown", 2},
		{"plain, refused", page("a"), 403, "AccessDenied", 1},
		{"conditional, unknown outcome", absent, 500, "InternalError", 1},
		{"conditional, throttled", absent, 503, "SlowDown", 2},
		{"conditional, conflict", absent, 409, "ConditionalRequestConflict", 2},
		{"conditional on an ETag, unknown outcome", ifMatch(page("a")), 500, "InternalError", 1},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var requests atomic.Int64
			store := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				requests.Add(1)
				refuse(r.status, r.code, "")(w, req)
			}), "")
			r.put.Body = bytes.NewReader([]byte("x"))
			if _, err := store.Put(t.Context(), r.put); err == nil {
				t.Error("no error")
			}
			if got := requests.Load(); got != r.want {
				t.Errorf("%d requests, want %d", got, r.want)
			}
		})
	}
}
