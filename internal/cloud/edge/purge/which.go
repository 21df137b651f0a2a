package purge

import "strings"

// Which returns the number of a batch later than since that covers the object, for telling what an invalidation has dropped; 0 if none does, or if its items
// have been forgotten. Uri and tags are as for Covered. Of several such batches it is the oldest that the log can still tell from the others:
// an item that is accepted again before the log was sealed has the later number.
func (l *Log) Which(uri string, tags []string, since Sequence) Sequence {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.segments {
		if s.newest <= since {
			continue
		}
		if found := s.which(uri, tags, since); found != 0 {
			return found
		}
	}
	return 0
}

func (s *segment) which(uri string, tags []string, since Sequence) Sequence {
	found := s.paths.which(uri, since)
	for _, tag := range tags {
		found = older(found, s.tags[tag], since)
		if s.any {
			found = older(found, s.tags[unscoped(tag)], since)
		}
	}
	return found
}

// which is the number of the oldest item later than since that covers uri; 0 for none.
func (n *node) which(uri string, since Sequence) Sequence {
	found := Sequence(0)
	for {
		found = older(found, n.prefix, since)
		if uri == "" {
			return older(found, n.exact, since)
		}
		child := n.child(uri[0])
		if child == nil || !strings.HasPrefix(uri, child.label) {
			return found
		}
		n, uri = child, uri[len(child.label):]
	}
}

// older is the smaller of two numbers, of which those up to since do not count; found is 0 or counts.
func older(found, other, since Sequence) Sequence {
	if other > since && (found == 0 || other < found) {
		return other
	}
	return found
}
