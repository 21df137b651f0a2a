package scan

import (
	"syscall"
	"unsafe"
)

func statOf(st *syscall.Stat_t) stat {
	return stat{
		device: uint64(st.Dev), inode: st.Ino, size: st.Size,
		modified: st.Mtimespec.Nano(), changed: st.Ctimespec.Nano(), mode: modeOf(uint32(st.Mode)),
	}
}

// steady reports whether the stamps of the files below path can be believed.
// HFS+ cuts times to seconds, and others are not this machine's alone.
func steady(path string) bool {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil {
		return false
	}
	name := unsafe.Slice((*byte)(unsafe.Pointer(&st.Fstypename[0])), len(st.Fstypename))
	return string(name[:5]) == "apfs\x00"
}
