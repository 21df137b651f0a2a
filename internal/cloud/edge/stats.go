package edge

// Add adds another edge's totals and holdings to s.
func (s *Stats) Add(t Stats) {
	for _, one := range []struct {
		to   *int64
		from int64
	}{
		{&s.Requests, t.Requests}, {&s.Hits, t.Hits}, {&s.Misses, t.Misses}, {&s.RefreshHits, t.RefreshHits}, {&s.Errors, t.Errors},
		{&s.Redirects, t.Redirects}, {&s.Collapsed, t.Collapsed}, {&s.OriginRequests, t.OriginRequests}, {&s.Fenced, t.Fenced},
		{&s.BytesOut, t.BytesOut}, {&s.Objects, t.Objects}, {&s.ObjectBytes, t.ObjectBytes}, {&s.MemoryBytes, t.MemoryBytes},
		{&s.Evicted, t.Evicted}, {&s.Purged, t.Purged}, {&s.Withdrawn, t.Withdrawn}, {&s.Invalidations, t.Invalidations},
		{&s.InvalidationItems, t.InvalidationItems},
		{&s.Disk.Objects, t.Disk.Objects}, {&s.Disk.Bytes, t.Disk.Bytes}, {&s.Disk.Hits, t.Disk.Hits}, {&s.Disk.Stored, t.Disk.Stored},
		{&s.Disk.Evicted, t.Disk.Evicted}, {&s.Disk.Purged, t.Disk.Purged}, {&s.Disk.Dropped, t.Disk.Dropped}, {&s.Disk.Failed, t.Disk.Failed},
		{&s.Disk.Damaged, t.Disk.Damaged}, {&s.Disk.PurgeFile, t.Disk.PurgeFile},
	} {
		*one.to += one.from
	}
	s.Purge.Items += t.Purge.Items
	s.Purge.Segments += t.Purge.Segments
	s.Purge.Bytes += t.Purge.Bytes
	s.Disk.Waiting += t.Disk.Waiting
	s.Disk.Off = s.Disk.Off || t.Disk.Off
}
