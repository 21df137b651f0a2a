package session

import "strings"

// The parts of AWS that share nothing; ARNs begin with them. AWS General
// Reference, "Partitions", read 2026-11.
const (
	PartitionPublic = "aws"
	PartitionGov    = "aws-us-gov"
)

// Partition is the part of AWS that a region belongs to, the public one for a
// region that is not known or empty.
func Partition(region string) string {
	for _, p := range []struct{ begin, name string }{
		{"cn-", "aws-cn"}, {"us-gov-", PartitionGov}, {"eusc-", "aws-eusc"},
		{"us-iso-", "aws-iso"}, {"us-isob-", "aws-iso-b"}, {"eu-isoe-", "aws-iso-e"}, {"us-isof-", "aws-iso-f"},
	} {
		if strings.HasPrefix(region, p.begin) {
			return p.name
		}
	}
	return PartitionPublic
}
