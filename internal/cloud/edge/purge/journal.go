package purge

import "fmt"

// Batch is an accepted batch as it is kept outside the log.
type Batch struct {
	Sequence Sequence
	Scope    string
	Exact    bool // the items are URIs, not paths with wildcards or tags
	Items    []string
	Position uint64 // of another log, which the batch comes from; 0 for none
}

// Journal keeps accepted batches where a restart finds them.
type Journal interface {
	// Record takes a batch, in the order of sequence numbers. It runs under the log's lock and must not wait or call the log.
	Record(Batch)
	// Reached takes a position of another log, later than that of any batch before: what it stands for is in force, as soon as the batches before survive a restart.
	// It need not survive one itself. It runs under the log's lock and must not wait or call the log.
	Reached(position uint64)
	// Wait returns when the batch with this number, and all before it, survive a restart, or when nothing does that a restart could serve.
	// The error says that neither can be had: what the batch covers may come back.
	Wait(Sequence) error
}

// SetJournal has all later batches recorded in j before they count as accepted. Call it before the log is used.
func (l *Log) SetJournal(j Journal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal = j
}

// record hands a batch to the journal. The caller holds mu.
func (l *Log) record(b Batch) {
	if l.journal != nil {
		l.journal.Record(b)
	}
}

// settle waits until the journal has the batch. The caller does not hold mu.
func (l *Log) settle(seq Sequence) error {
	if l.journal == nil {
		return nil
	}
	if err := l.journal.Wait(seq); err != nil {
		return fmt.Errorf("keep batch %d: %w", seq, err)
	}
	return nil
}

// Restore brings a new log to where another was: everything older than floor counts as covered, the batches, which must be later and in order,
// cover what they name, and the next batch gets the next number.
func (l *Log) Restore(floor Sequence, batches []Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.floor = floor
	newest := floor
	for _, b := range batches {
		newest = b.Sequence
		l.put(b)
	}
	l.current.Store(uint64(newest))
}

// Position is the position in another log up to which this one has everything; 0 for none.
func (l *Log) Position() uint64 { return l.position.Load() }

// AcceptAt is Accept for a batch that has a position, from 1, in a log elsewhere, which is kept together with the batch: after a restart both are there, or
// neither is. A position that the log has reached already changes nothing, so a repeat is safe; the sequence number is then the newest one.
// Calls come in the order of positions, or those that come late are taken for repeats.
func (l *Log) AcceptAt(position uint64, scope string, items []string) (Sequence, error) {
	if position == 0 {
		return 0, fmt.Errorf("accept batch without a position: %w", ErrItem)
	}
	if err := checkAll(items); err != nil {
		return 0, err
	}
	seq := l.accept(Batch{Scope: scope, Items: items, Position: position})
	return seq, l.settle(seq)
}

// Advance notes that everything of another log up to a position is here, without a batch. After a restart the position may be an earlier one.
func (l *Log) Advance(position uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if position <= l.Position() {
		return
	}
	l.position.Store(position)
	if l.journal != nil {
		l.journal.Reached(position)
	}
}
