// Package standalone runs one edge on its own, in front of any origin: its listeners, its access log, its metrics, its control API and its console.
//
// It promises:
//   - It listens where it was told to and nowhere else. Beyond loopback the control API answers only requests with a valid signature;
//     without credentials for that, Start refuses. On loopback, a web page in somebody's browser cannot use it. The console, which a browser cannot sign for,
//     is on loopback or nowhere.
//   - Certificates are read again when their files change, and at once by Reload; a pair that cannot be read leaves the one before in use.
//   - Slow or oversized requests and slow readers hold a connection for a limited time, and the number of connections is limited.
//   - Close finishes the requests under way within a limit, and answers /readyz with 503 from its beginning.
//   - An access log that cannot be written, or not fast enough, never holds up a viewer: lines are lost, and counted.
//
// What is cached, and how, is package edge's; invalidations are package control's. The distribution that the control API shows is the one that
// Options describe: it can be read and invalidated, not changed.
//
// It follows Apache's mod_log_config for the Combined Log Format, Prometheus' naming rules ("Metric and label naming", read 2026-11),
// RFC 9110 and RFC 9113 through net/http. It leaves out: HTTP/3, several certificates on one listener, OCSP stapling, client certificates,
// the PROXY protocol, and rotating its own log (rotate the file and call Reload).
package standalone
