package revision

import "strings"

// system is one CI system's variables: which branch is built, and which commit
// of it.
type system struct {
	branch, commit string
	// ref says that branch holds a full reference, as "refs/heads/main".
	ref bool
	// pull is set to anything but "false" where the build is of a pull request,
	// in which branch is the one to merge into, or one of the same name in a fork.
	pull string
	// remote is what may stand before the branch and is not of it.
	remote string
}

// systems are those whose documents say what the variables hold; read 2026-11:
//
//   - GitHub Actions, "Variables reference": the reference that triggered the
//     run, refs/pull/1/merge for a pull request; GITHUB_HEAD_REF is no use, since
//     a fork may call its branch main.
//   - GitLab, "Predefined CI/CD variables reference": not in pipelines of merge
//     requests or tags. Woodpecker, "Environment variables", has the same names,
//     with the target branch in pull requests.
//   - Azure Pipelines, "Use predefined variables"; Build.SourceBranchName is no
//     use, since it is the last segment alone.
//   - Buildkite, "Environment variables"; CircleCI, "Project values and
//     variables"; Bitbucket, "Variables and secrets": the source branch.
//   - Drone, "DRONE_BRANCH": the target branch of a pull request.
//   - Jenkins, Git plugin, "Environment variables": mostly with "origin/".
var systems = []system{
	{branch: "GITHUB_REF", commit: "GITHUB_SHA", ref: true},
	{branch: "CI_COMMIT_BRANCH", commit: "CI_COMMIT_SHA", pull: "CI_COMMIT_PULL_REQUEST"},
	{branch: "BUILD_SOURCEBRANCH", commit: "BUILD_SOURCEVERSION", ref: true},
	{branch: "BUILDKITE_BRANCH", commit: "BUILDKITE_COMMIT", pull: "BUILDKITE_PULL_REQUEST"},
	{branch: "CIRCLE_BRANCH", commit: "CIRCLE_SHA1"},
	{branch: "BITBUCKET_BRANCH", commit: "BITBUCKET_COMMIT"},
	{branch: "DRONE_BRANCH", commit: "DRONE_COMMIT_SHA", pull: "DRONE_PULL_REQUEST"},
	{branch: "GIT_BRANCH", commit: "GIT_COMMIT", remote: "origin/"},
}

// branchOfCI is the branch that CI says commit is of, "" where it does not say.
// CI speaks of the commit that it has checked out itself: of another, such as a
// pull request's under GitHub's pull_request_target or a second repository's,
// its branch is not the branch.
func branchOfCI(getenv func(string) string, commit string) string {
	for _, s := range systems {
		branch := getenv(s.branch)
		if branch == "" || getenv(s.commit) != commit {
			continue
		}
		if pull := getenv(s.pull); s.pull != "" && pull != "" && pull != "false" {
			continue
		}
		if s.ref {
			branch = branchOfRef(branch)
		}
		if branch = strings.TrimPrefix(branch, s.remote); branch != "" && branch != "detached" && printable(branch) {
			return branch
		}
	}
	return ""
}

// branchOfRef is "main" of refs/heads/main and "pull/1/merge" of
// refs/pull/1/merge, which orders the builds of one pull request and can be
// no other's. A tag is of no branch.
func branchOfRef(ref string) string {
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return branch
	}
	if rest, ok := strings.CutPrefix(ref, "refs/"); ok && strings.HasPrefix(rest, "pull/") {
		return rest
	}
	return ""
}
