package control

import "testing"

// A configuration that is kept elsewhere replaces what is stored, under the same id and only where it differs.
func TestSetDistribution(t *testing.T) {
	f := start(t, Options{})
	first, err := f.SetDistribution(t.Context(), siteConfig())
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != f.dist.ID {
		t.Errorf("id %s, want the one that was there, %s", first.ID, f.dist.ID)
	}
	again, err := f.SetDistribution(t.Context(), siteConfig())
	if err != nil || again.ETag != first.ETag {
		t.Errorf("the same configuration got version %s after %s, %v", again.ETag, first.ETag, err)
	}
	changed := siteConfig()
	changed.Comment = "moved"
	now, err := f.SetDistribution(t.Context(), changed)
	if err != nil {
		t.Fatal(err)
	}
	if now.ID != first.ID || now.ETag == first.ETag || now.Config.Comment != "moved" || now.Status != "Deployed" {
		t.Errorf("got %s version %s, %q, %s", now.ID, now.ETag, now.Config.Comment, now.Status)
	}
	changed.Origins = nil
	if _, err := f.SetDistribution(t.Context(), changed); err == nil {
		t.Error("a configuration without an origin was accepted")
	}
}
