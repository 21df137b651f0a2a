package scan

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"syscall"
)

func statOf(st *syscall.Stat_t) stat {
	return stat{
		device: st.Dev, inode: st.Ino, size: st.Size, modified: st.Mtim.Nano(), changed: st.Ctim.Nano(), mode: modeOf(st.Mode),
	}
}

// Magic numbers of file systems that live in this machine's kernel alone, give
// every write a time of their own, and keep inode numbers for as long as a file
// lives; statfs(2), read 2026-11.
var local = map[uint32]bool{
	0xef53:     true, // ext2, ext3, ext4
	0x58465342: true, // XFS
	0x9123683e: true, // btrfs
	0xf2f52010: true, // F2FS
	0x01021994: true, // tmpfs
	0x2fc12fc1: true, // ZFS
	0xca451a4e: true, // bcachefs
}

// steady reports whether the stamps of the files below path can be believed:
// not where other machines may write too, nor where times are cut to seconds.
func steady(path string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(path, &st) == nil && local[uint32(st.Type)]
}

// direntBytes is where the name begins in what getdents64(2) yields: the inode
// and the offset, 8 bytes each, the length of the whole, 2 bytes, and the type.
const direntBytes = 19

// readFolder lists a folder, which must not be a link, in no order, and yields
// what it was like before.
func readFolder(path string, buf []byte, each func(name []byte, mode fs.FileMode, known bool)) (was stat, err error) {
	h, err := openFile(path)
	if err != nil {
		return stat{}, err
	}
	defer func() { _ = h.close() }() // it was read only
	if was, err = h.stat(); err != nil {
		return stat{}, err
	}
	for {
		n, err := syscall.ReadDirent(int(h), buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return was, err
		}
		dirents(buf[:n], each)
	}
}

func dirents(b []byte, each func(name []byte, mode fs.FileMode, known bool)) {
	for len(b) > direntBytes {
		length := int(binary.NativeEndian.Uint16(b[16:]))
		if length < direntBytes || length > len(b) {
			return // cannot be
		}
		name := b[direntBytes:length]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if kind := b[18]; string(name) != "." && string(name) != ".." {
			each(name, modeOf(uint32(kind)<<12), kind != syscall.DT_UNKNOWN) // DT_REG is S_IFREG >> 12, and so on
		}
		b = b[length:]
	}
}
