//go:build !race

package deploy_test

const underRaceDetector = false
