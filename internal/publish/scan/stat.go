package scan

import "io/fs"

// stat is what tells one file from another, and one state of it from the next.
// Two of one file that are equal mean that nobody has changed it in between,
// where the file system is steady and the times are old enough.
type stat struct {
	device, inode     uint64
	size              int64 // bytes
	modified, changed int64 // mtime and ctime, nanoseconds since 1970
	mode              fs.FileMode
}
