package revision

import (
	"strings"
	"testing"
)

func TestBranchOfCI(t *testing.T) {
	const commit, other = "0123456789012345678901234567890123456789", "9876543210987654321098765432109876543210"
	for _, tt := range []struct {
		name, env string // COMMIT stands for the commit
		want      string
	}{
		{"nothing", "", ""},
		{"no commit", "GIT_BRANCH=main", ""},
		{"another commit", "CIRCLE_BRANCH=main CIRCLE_SHA1=" + other, ""},
		{"GitHub, a branch", "GITHUB_REF=refs/heads/feature/x GITHUB_REF_NAME=feature/x GITHUB_SHA=COMMIT", "feature/x"},
		{"GitHub, a tag", "GITHUB_REF=refs/tags/v1 GITHUB_REF_NAME=v1 GITHUB_SHA=COMMIT", ""},
		{"GitHub, a pull request", "GITHUB_REF=refs/pull/1/merge GITHUB_REF_NAME=1/merge GITHUB_HEAD_REF=main GITHUB_BASE_REF=main GITHUB_SHA=COMMIT", "pull/1/merge"},
		{"GitHub, pull_request_target with the fork's commit", "GITHUB_REF=refs/heads/main GITHUB_SHA=" + other, ""},
		{"GitLab, a branch", "CI_COMMIT_BRANCH=main CI_COMMIT_REF_NAME=main CI_COMMIT_SHA=COMMIT", "main"},
		{"GitLab, a merge request", "CI_COMMIT_REF_NAME=main CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main CI_COMMIT_SHA=COMMIT", ""},
		{"Woodpecker, a pull request", "CI_COMMIT_BRANCH=main CI_COMMIT_PULL_REQUEST=3 CI_COMMIT_SHA=COMMIT", ""},
		{"Azure, a branch", "BUILD_SOURCEBRANCH=refs/heads/feature/tools BUILD_SOURCEBRANCHNAME=tools BUILD_SOURCEVERSION=COMMIT", "feature/tools"},
		{"Azure, a pull request", "BUILD_SOURCEBRANCH=refs/pull/12/merge BUILD_SOURCEBRANCHNAME=merge BUILD_SOURCEVERSION=COMMIT", "pull/12/merge"},
		{"Buildkite, a branch", "BUILDKITE_BRANCH=main BUILDKITE_PULL_REQUEST=false BUILDKITE_COMMIT=COMMIT", "main"},
		{"Buildkite, a pull request", "BUILDKITE_BRANCH=main BUILDKITE_PULL_REQUEST=7 BUILDKITE_COMMIT=COMMIT", ""},
		{"CircleCI", "CIRCLE_BRANCH=main CIRCLE_SHA1=COMMIT", "main"},
		{"CircleCI, a fork", "CIRCLE_BRANCH=pull/5 CIRCLE_SHA1=COMMIT", "pull/5"},
		{"Bitbucket", "BITBUCKET_BRANCH=main BITBUCKET_COMMIT=COMMIT", "main"},
		{"Bitbucket, a tag", "BITBUCKET_TAG=v1 BITBUCKET_COMMIT=COMMIT", ""},
		{"Drone", "DRONE_BRANCH=main DRONE_COMMIT_SHA=COMMIT", "main"},
		{"Drone, a pull request", "DRONE_BRANCH=main DRONE_PULL_REQUEST=7 DRONE_COMMIT_SHA=COMMIT", ""},
		{"Jenkins", "GIT_BRANCH=origin/feature/x GIT_COMMIT=COMMIT", "feature/x"},
		{"Jenkins, multibranch", "GIT_BRANCH=feature/x GIT_COMMIT=COMMIT", "feature/x"},
		{"Jenkins, detached", "GIT_BRANCH=detached GIT_COMMIT=COMMIT", ""},
		{"what a terminal would obey", "CIRCLE_BRANCH=\x1b[31m CIRCLE_SHA1=COMMIT", ""},
		{"the one that speaks of the commit", "GITHUB_REF=refs/heads/main GITHUB_SHA=" + other + " CIRCLE_BRANCH=x CIRCLE_SHA1=COMMIT", "x"},
		{"origin is part of the name elsewhere", "CIRCLE_BRANCH=origin/x CIRCLE_SHA1=COMMIT", "origin/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := map[string]string{}
			for v := range strings.FieldsSeq(strings.ReplaceAll(tt.env, "COMMIT=COMMIT", "COMMIT="+commit)) {
				name, value, _ := strings.Cut(v, "=")
				env[name] = strings.Replace(value, "COMMIT", commit, 1)
			}
			if got := branchOfCI(func(name string) string { return env[name] }, commit); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// CI is asked only where HEAD is detached.
func TestBranchOfCIComesLast(t *testing.T) {
	w := newWorld(t)
	dir, c := w.repo(2)
	ci := w.with("GITHUB_REF=refs/heads/ci", "GITHUB_SHA="+c[1])
	ci.check(dir, revision(c[1], "main", 1))
	w.run(dir, "checkout", "-q", "--detach")
	ci.check(dir, revision(c[1], "ci", 1))
	w.check(dir, revision(c[1], "", 1))
	w.run(dir, "checkout", "-q", "--detach", "HEAD~1")
	ci.check(dir, revision(c[0], "", 0))
	got, ok, err := At(t.Context(), dir, c[1], ci.getenv)
	if !ok || err != nil || got != revision(c[1], "ci", 1) {
		t.Errorf("At: %v, %v, %v", got, ok, err)
	}
}
