package purge

import "fmt"

// Batch is an accepted batch as it is kept outside the log.
type Batch struct {
	Sequence Sequence
	Scope    string
	Exact    bool // the items are URIs, not paths with wildcards or tags
	Items    []string
}

// Journal keeps accepted batches where a restart finds them.
type Journal interface {
	// Record takes a batch, in the order of sequence numbers. It runs under the log's lock and must not wait or call the log.
	Record(Batch)
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
