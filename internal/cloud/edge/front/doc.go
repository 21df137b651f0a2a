// Package front is the HTTP server under the edge: net/http, with a loop of its own before it that answers plain cache hits.
//
// A connection belongs to net/http from its first byte to its last. What it reads from is a conn of this package, whose Read looks at
// the bytes first. While they are plain requests (a whole GET or HEAD head, read strictly) that the Engine answers from memory,
// Read writes the answers itself, head and body in one system call, and goes on. The first request that is anything else is what Read returns:
// exactly the bytes of that request, so that the loop has the connection back when net/http has answered it.
// A connection that alternates hits and misses is therefore answered by both, in turn, for as long as it lives.
//
// It promises:
//   - The loop answers nothing about whose extent there can be two opinions. A head with Content-Length, Transfer-Encoding, Upgrade, Expect,
//     obsolete folding, a bare CR or LF, a control character, no Host or several of them, another version than HTTP/1.1
//     or a target that is not in origin form makes the whole rest of the connection net/http's, byte for byte as it came.
//   - What it does answer, net/http would have read alike: tests compare the two readers on the same bytes, and fuzz them.
//   - Limits hold on both sides: size of a head, time for a head, idle time, time for a write, number of connections.
//   - Shutdown cuts no answer short while its context lasts.
//
// It follows RFC 9112 (message syntax, 3, 5 and 6) and RFC 9110 5.5 (field values); comments name the section.
//
// It leaves out: TLS, for which ServeTLS leaves connections to net/http altogether (HTTP/1.1 and HTTP/2); and Hijack, which works but takes only what net/http has read.
package front
