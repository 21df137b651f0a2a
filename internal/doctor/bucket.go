package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// soon is how little time of credentials is too little for a deploy.
const soon = 15 * time.Minute

// keys tells which credentials are used; err is what came of using them.
func (t Target) keys(ctx context.Context, err error) []Finding {
	const check = "credentials"
	store, ok := t.Store.(remote.Examinable)
	if !ok {
		return nil
	}
	keys, bad := store.Keys(ctx)
	if bad != nil {
		return []Finding{broken(check, "there are none that work", "nothing can be read or published", bad)}
	}
	f := good(check, "%s, from %s", keys.ID, keys.Source)
	left := keys.Expires.Sub(t.Now).Round(time.Second)
	switch {
	case errors.Is(err, remote.ErrCredentials), errors.Is(err, remote.ErrClock):
		f = Finding{Check: check, Level: Problem, What: f.What + ": refused", Why: "nothing can be read or published", Err: err}
	case !keys.Expires.IsZero() && left < soon:
		f.Level, f.What = Warning, fmt.Sprintf("%s; they expire in %s", f.What, left)
		f.Why, f.Next = "a deploy that takes longer stops half way, and goes on with the next run", "get new ones before a long deploy: aws sso login"
	}
	return []Finding{f}
}

// unreadable tells why the bucket could not be looked at.
func unreadable(err error) Finding {
	const why = "nothing can be published"
	switch {
	case errors.Is(err, remote.ErrRegion):
		return broken("region", "it is another one", why, err)
	case errors.Is(err, remote.ErrNoBucket):
		return broken("bucket", "it is not there", why, err)
	case errors.Is(err, remote.ErrCredentials), errors.Is(err, remote.ErrClock):
		return broken("bucket", "it could not be asked", why, err)
	}
	return broken("record", "freshet's record in the bucket cannot be read", "nothing can be published without it", err)
}

// access tells what anybody gets past the distribution, and where the bucket
// lies.
func (t Target) access(ctx context.Context) (remote.Bucket, []Finding) {
	store, ok := t.Store.(remote.Examinable)
	if !ok {
		return remote.Bucket{}, nil
	}
	b, err := store.Bucket(ctx, t.Record.Readme())
	if err != nil {
		return b, []Finding{broken("bucket", "it cannot be looked at", "what others can do with it is not known", err)}
	}
	var out []Finding
	if b.Region != "" {
		out = append(out, good("region", "the bucket lies in %s", b.Region))
	}
	return b, append(out, listing(b), reading(b, t.Record.Readme() != ""))
}

func listing(b remote.Bucket) Finding {
	const check = "public listing"
	switch b.Listable {
	case remote.Yes:
		return Finding{
			Check: check, Level: Problem, What: "anybody can list the bucket without credentials",
			Why:  "a listing tells the name of freshet's record, and of every file that nobody links to",
			Next: "take s3:ListBucket for everybody out of the bucket's policy: aws s3api get-bucket-policy --bucket " + b.Name,
		}
	case remote.Unknown:
		return Finding{Check: check, Level: Unknown, What: "whether others can list the bucket could not be found out"}
	}
	return good(check, "nobody lists the bucket without credentials")
}

func reading(b remote.Bucket, tried bool) Finding {
	const check = "public access"
	switch {
	case b.Readable == remote.Yes:
		return Finding{
			Check: check, Level: Warning, What: "anybody can read the bucket's objects past the distribution",
			Why: "freshet's record holds pages that were taken down, and only its name, 128 random bits, protects them",
			Next: "read the bucket through an origin access control, then: aws s3api put-public-access-block --bucket " + b.Name +
				" --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
		}
	case b.Blocked == remote.Yes:
		return good(check, "blocked in every way")
	case b.Readable == remote.No:
		return good(check, "nobody reads the bucket's objects without credentials")
	case !tried:
		return good(check, "to be seen once something is published")
	}
	return Finding{Check: check, Level: Unknown, What: "whether others can read the bucket could not be found out"}
}

func record(s release.State) Finding {
	f := good("record", "nothing has been published here by freshet yet")
	if s.Current != nil {
		f.What = fmt.Sprintf("release %s is live, with %d objects", s.Current.Release, s.Current.Objects)
	}
	return f
}

func conditions(err error) Finding {
	const check = "conditional writes"
	switch {
	case err == nil:
		return good(check, "the store honours If-None-Match and If-Match")
	case errors.Is(err, release.ErrUnprotected):
		return broken(check, "the store does not honour them", "two deploys at once, or a slow one, could overwrite each other", err)
	}
	return broken("writing", "the bucket cannot be written to", "nothing can be published", err)
}

// underWay tells of a held lock and an open journal.
func underWay(s release.State) []Finding {
	var out []Finding
	if l := s.Lock; l != nil {
		out = append(out, Finding{
			Check: "lock", Level: Warning, What: fmt.Sprintf("%s has held it since %s", l.Writer, l.Since.Local().Format("15:04:05")),
			Why:  "a deploy is under way, or was killed a moment ago",
			Next: "nothing: the next `freshet deploy` waits for it, and takes it over if it is not renewed",
		})
	}
	if j := s.Journal; j != nil && s.Lock == nil {
		out = append(out, Finding{
			Check: "journal", Level: Warning, What: fmt.Sprintf("release %s of %s was interrupted; %d URLs are still to be invalidated", j.Release, j.Writer, len(j.Pending)),
			Why: "caches may still show what was there before", Next: "freshet deploy",
		})
	}
	return out
}

// published are the objects that were published, or will be by the next deploy:
// what the site has, or else what is live.
func (t Target) published(s release.State) []site.Object {
	if t.Site != nil {
		return t.Site.Manifest.Objects()
	}
	return live(s)
}

func live(s release.State) []site.Object { return s.Live.Site.Objects() }
