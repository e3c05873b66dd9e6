// Command load posts one body many times at once, over TLS with HTTP/2 as Go's client speaks it, which
// is the API server's, and prints how long each answer took as JSON.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// report is what is printed.
type report struct {
	// Milliseconds has one value for each request, also for those that got no answer.
	Milliseconds []float64 `json:"milliseconds"`
	// Unanswered says how many got no answer, or not the wanted one, in time.
	Unanswered int `json:"unanswered"`
	// Failure is why one of them did not.
	Failure string `json:"failure,omitempty"`
	// Protocol is that of the answers: HTTP/2.0.
	Protocol string `json:"protocol"`
}

type result struct {
	took     time.Duration
	protocol string
	err      error
}

type load struct {
	url, want   string
	body        []byte
	timeout     time.Duration
	roots       *x509.CertPool
	connections bool
	shared      *http.Client
}

func main() {
	url := flag.String("url", "", "where to post to")
	ca := flag.String("ca", "", "PEM file of the server's CA")
	count := flag.Int("count", 1, "requests at once")
	rounds := flag.Int("rounds", 1, "how often")
	pause := flag.Duration("pause", 0, "between two rounds")
	timeout := flag.Duration("timeout", 10*time.Second, "for one request")
	connections := flag.Bool("connections", false, "a new connection for each request")
	want := flag.String("want", "", "text that the answer has to contain")
	flag.Parse()
	l := &load{url: *url, want: *want, timeout: *timeout, connections: *connections}
	if err := l.prepare(*ca); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var all report
	for round := 0; round < *rounds; round++ {
		if round > 0 {
			time.Sleep(*pause)
		}
		for _, one := range l.round(*count) {
			all.add(one)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (l *load) prepare(ca string) (err error) {
	if l.body, err = io.ReadAll(os.Stdin); err != nil {
		return err
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	l.roots = x509.NewCertPool()
	if !l.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", ca)
	}
	l.shared = l.client()
	if l.connections {
		return nil
	}
	// The API server keeps its connection: its handshake is no part of the time.
	health := l.url[:strings.Index(l.url[len("https://"):], "/")+len("https://")] + "/healthz"
	response, err := l.shared.Get(health)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func (l *load) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 1,
		TLSClientConfig:     &tls.Config{RootCAs: l.roots},
	}}
}

// round sends all at the same moment and waits for all.
func (l *load) round(count int) []result {
	results := make([]result, count)
	begin := make(chan struct{})
	var ready, done sync.WaitGroup
	for at := range results {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			client := l.shared
			if l.connections {
				client = l.client()
				defer client.CloseIdleConnections()
			}
			ready.Done()
			<-begin
			results[at] = l.post(client)
		}()
	}
	ready.Wait()
	close(begin)
	done.Wait()
	return results
}

func (l *load) post(client *http.Client) result {
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	started := time.Now()
	protocol, err := l.ask(ctx, client)
	return result{time.Since(started), protocol, err}
}

func (l *load) ask(ctx context.Context, client *http.Client) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(l.body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(l.want)) {
		return "", fmt.Errorf("%s: %s", response.Status, answer)
	}
	return response.Proto, nil
}

func (r *report) add(one result) {
	r.Milliseconds = append(r.Milliseconds, float64(one.took)/float64(time.Millisecond))
	if one.err != nil {
		r.Unanswered++
		r.Failure = one.err.Error()
		return
	}
	r.Protocol = one.protocol
}
