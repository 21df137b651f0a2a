package standalone

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// results are the label values of each edge.Result.
var results = map[edge.Result]string{
	edge.Miss: "miss", edge.Hit: "hit", edge.RefreshHit: "refresh_hit", edge.Error: "error", edge.Redirect: "redirect",
}

// meters are what the edge does not count itself.
type meters struct {
	origin    *prometheus.HistogramVec // seconds to the head of an origin's response, by its status class
	took      [len(resultOrder)]prometheus.Observer
	responses [6]prometheus.Counter // by the first digit of the status; 0 is cut short
	own       []prometheus.Collector
}

// resultOrder lists the results in the order of their numbers.
var resultOrder = [...]edge.Result{edge.Miss, edge.Hit, edge.RefreshHit, edge.Error, edge.Redirect}

func newMeters() *meters {
	m := &meters{origin: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "freshet_edge_origin_response_seconds", Help: "Time from an origin request to the head of its response, by status class, or error without one.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"status"})}
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "freshet_edge_request_seconds", Help: "Time from a viewer's request to the last byte of its response, by what the cache did.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"result"})
	responses := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "freshet_edge_responses_total", Help: "Responses to viewers, by status class; aborted ones were cut short.",
	}, []string{"status"})
	for _, r := range resultOrder {
		m.took[r] = took.WithLabelValues(results[r])
	}
	for i := range m.responses {
		m.responses[i] = responses.WithLabelValues(class(i * 100))
	}
	m.own = []prometheus.Collector{m.origin, took, responses}
	return m
}

// class is "2xx" for 200 to 299, "aborted" for 0.
func class(status int) string {
	if status < 100 {
		return "aborted"
	}
	return strconv.Itoa(status/100) + "xx"
}

func (m *meters) request(e edge.Event) {
	m.took[e.Result].Observe(e.Duration.Seconds())
	digit := e.Status / 100
	if e.Aborted || digit < 1 || digit >= len(m.responses) {
		digit = 0
	}
	m.responses[digit].Inc()
}

// measured is next with its latency measured.
func (m *meters) measured(next http.RoundTripper) http.RoundTripper { return &measured{next, m.origin} }

type measured struct {
	next    http.RoundTripper
	seconds *prometheus.HistogramVec
}

// RoundTrip measures up to the response's head.
func (t *measured) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := t.next.RoundTrip(r)
	label := "error"
	if err == nil {
		label = class(resp.StatusCode)
	}
	t.seconds.WithLabelValues(label).Observe(time.Since(start).Seconds())
	return resp, err
}

// metrics answers with all figures in Prometheus' text format.
func (s *Server) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(append(s.meters.own, &figures{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// figures are read from the edge whenever they are asked for.
type figures struct{ server *Server }

var _ prometheus.Collector = (*figures)(nil)

// Describe sends nothing: the registry then takes what Collect sends.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect sends the present figures.
func (f *figures) Collect(to chan<- prometheus.Metric) {
	s := f.server.engine.Stats()
	f.own(to)
	requests := desc("requests_total", "Requests of viewers, by what the cache did.", "result")
	for _, r := range []struct {
		result edge.Result
		n      int64
	}{{edge.Hit, s.Hits}, {edge.Miss, s.Misses}, {edge.RefreshHit, s.RefreshHits}, {edge.Error, s.Errors}, {edge.Redirect, s.Redirects}} {
		to <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(r.n), results[r.result])
	}
	for _, c := range []struct {
		name, help string
		n          int64
	}{
		{"collapsed_requests_total", "Requests of viewers that shared another one's origin request.", s.Collapsed},
		{"origin_requests_total", "Requests to the origin.", s.OriginRequests},
		{"response_body_bytes_total", "Bytes of bodies sent to viewers.", s.BytesOut},
		{"evicted_objects_total", "Objects that the memory budget pushed out.", s.Evicted},
		{"purged_objects_total", "Objects that invalidations removed or withdrew, counted when found.", s.Purged},
		{"invalidations_total", "Invalidations that were accepted.", s.Invalidations},
		{"invalidation_items_total", "Paths and tags in them.", s.InvalidationItems},
		{"access_log_lost_lines_total", "Lines of the access log that could not be written, or not fast enough.", f.lost()},
	} {
		to <- prometheus.MustNewConstMetric(desc(c.name, c.help), prometheus.CounterValue, float64(c.n))
	}
	for _, g := range []struct {
		name, help string
		n          int64
	}{
		{"objects", "Objects in memory, including a few that are not reclaimed yet.", s.Objects},
		{"object_bytes", "Memory that they count for.", s.ObjectBytes},
		{"withdrawn_objects", "Of the objects, those that were invalidated and wait for the origin to prove them; they serve nobody.", s.Withdrawn},
		{"memory_limit_bytes", "Memory that they may count for.", s.MemoryBytes},
		{"purge_log_items", "Invalidated paths and tags that lookups still check.", int64(s.Purge.Items)},
		{"purge_log_bytes", "Memory of the purge log.", int64(s.Purge.Bytes)},
		{"purge_log_segments", "Segments of the purge log.", int64(s.Purge.Segments)},
	} {
		to <- prometheus.MustNewConstMetric(desc(g.name, g.help), prometheus.GaugeValue, float64(g.n))
	}
	f.certificates(to)
}

func (f *figures) lost() int64 {
	if f.server.log == nil {
		return 0
	}
	return f.server.log.lost.Load()
}

// own sends what the engine shows beside its Stats.
func (f *figures) own(to chan<- prometheus.Metric) {
	for _, one := range f.server.engine.Figures() {
		kind := prometheus.GaugeValue
		if one.Counter {
			kind = prometheus.CounterValue
		}
		to <- prometheus.MustNewConstMetric(desc(one.Name, one.Help), kind, one.Value)
	}
}

// certificates tells when each listener's ends.
func (f *figures) certificates(to chan<- prometheus.Metric) {
	d := desc("certificate_expiry_timestamp_seconds", "When the certificate in use ends, as Unix time.", "listener")
	for _, all := range []map[string]time.Time{f.server.viewers.Expires(), f.server.admin.Expires()} {
		for address, at := range all {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(at.Unix()), address)
		}
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("freshet_edge_"+name, help, labels, nil)
}
