package listen

import "testing"

func TestIsLoopback(t *testing.T) {
	rows := map[string]bool{
		"localhost": true, "LOCALHOST:9902": true, "edge.localhost.:1": true, "127.0.0.1": true, "127.9.9.9:1": true, "[::1]:9902": true, "[::1]": true,
		"": false, "example.org": false, "localhost.example.org": false, "10.0.0.1:80": false, "[::]:80": false, "127.0.0.1.example.org": false,
	}
	for host, want := range rows {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %v", host, got)
		}
	}
}
