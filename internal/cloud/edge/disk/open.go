package disk

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
	"github.com/freshet/freshet/internal/durable"
)

// ErrOptions is the cause of errors about options that cannot work.
var ErrOptions = errors.New("invalid disk options")

// Open opens the folder, or makes it, and brings the purge log, which must be new, to where it was. Close ends it.
// A folder in use by another process is an error.
func Open(opts Options, log *purge.Log) (*Store, error) {
	if opts.Dir == "" || opts.Bytes < MinBytes {
		return nil, fmt.Errorf("open disk tier of %d bytes (at least %d) in %q: %w", opts.Bytes, MinBytes, opts.Dir, ErrOptions)
	}
	opts = opts.withDefaults()
	if err := durable.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	lock, err := lockFolder(filepath.Join(opts.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	s := &Store{
		opts: opts, log: log, lock: lock, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1), stop: make(chan struct{}),
		slabs: map[uint32]*slab{}, index: map[uint64]entry{}, waiting: map[Key]*Item{}, nextSlab: 1,
	}
	if err := s.start(); err != nil {
		for _, b := range s.slabs {
			_ = b.close()
		}
		return nil, fmt.Errorf("open disk tier: %w", errors.Join(err, lock.Close()))
	}
	s.worker.Go(s.write)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.open == nil {
		o.open = openFile
	}
	return o
}

// start reads the folder.
func (s *Store) start() error {
	j, p, sound, err := startJournal(filepath.Join(s.opts.Dir, purgeName), s.opts.open, s.fail)
	if err != nil {
		return err
	}
	s.journal = j
	newest, err := s.load(sound)
	if err != nil {
		return err
	}
	if sound && newest > p.newest {
		sound = false // an object has seen a batch that the purge file has lost
	}
	if !sound {
		if err := s.restart(); err != nil {
			return err
		}
		p = purges{}
	}
	s.log.Restore(p.floor, p.batches)
	s.log.Advance(p.reached)
	s.log.SetJournal(j)
	return nil
}

// restart empties the folder and begins a new purge file.
func (s *Store) restart() error {
	for _, b := range s.slabs {
		s.opts.Logger.Warn("disk tier removes a slab: the purge file is missing or damaged", "objects", b.objects)
		if err := b.remove(); err != nil {
			return fmt.Errorf("empty the folder: %w", err) // or the next start would find objects with a purge file that does not know them
		}
		s.abandon(b)
	}
	if err := durable.SyncDir(s.opts.Dir); err != nil {
		return err
	}
	s.maxFill, s.doomed = 0, nil
	if s.journal.file != nil {
		_ = s.journal.file.Close()
		s.journal.file = nil
	}
	s.journal.newest, s.journal.durable = 0, 0
	s.journal.reached, s.journal.kept = 0, 0
	return s.journal.replace(0, nil)
}

// load reads the heads of all slabs, or with sound false only finds the slabs. It returns the newest batch that any object has been compared with.
func (s *Store) load(sound bool) (newest purge.Sequence, err error) {
	ids, stray, err := slabIDs(s.opts.Dir)
	if err != nil {
		return 0, err
	}
	for _, name := range stray {
		if err := os.Remove(filepath.Join(s.opts.Dir, name)); err != nil {
			return 0, fmt.Errorf("tidy up: %w", err)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		b, err := openSlab(s.opts.open, s.opts.Dir, id)
		if err != nil {
			return 0, err
		}
		s.slabs[id] = b
		s.nextSlab = id + 1
		end := b.idxEnd
		b.idxEnd = int64(slabHeader)
		if sound {
			newest = max(newest, s.enroll(b, end))
		}
		b.bytes = b.dataEnd + b.idxEnd
		s.total += b.bytes
	}
	for _, b := range s.slabs {
		if b.objects == 0 && sound {
			s.abandon(b)
		}
	}
	return newest, nil
}

// enroll puts the objects of b into the index. Of two with one key the one with the greater fill number counts, or else the later.
func (s *Store) enroll(b *slab, end int64) (newest purge.Sequence) {
	b.walk(end, func(p placed) bool {
		b.idxEnd = p.place + p.length
		if !p.live {
			return true
		}
		s.serial = max(s.serial, p.serial)
		newest = max(newest, p.Checked)
		hash := s.hash(p.Key)
		old, found := s.index[hash]
		if p.at+stored(p.size) > b.dataEnd || found && old.fill > p.Fill {
			return true
		}
		if found {
			s.forget(hash, old)
		}
		e := entry{
			slab: b.id, place: uint32(p.place), length: uint32(p.length), room: stored(p.size) + p.length, fill: p.Fill,
			checked: max(p.Checked, s.journal.floor),
		}
		b.liveBytes += e.room
		b.objects++
		s.index[hash] = e
		s.maxFill = max(s.maxFill, p.Fill)
		return true
	})
	return newest
}
