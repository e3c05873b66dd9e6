// Command hello answers every HTTP request with one line that says who answers:
// its name, its version, the pod and the node, and a greeting.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "unset"

const (
	address       = ":8080"
	headerTimeout = 5 * time.Second
	// Less than the kubelet's default grace period of 30 s.
	stopTimeout = 10 * time.Second
)

func main() {
	server := &http.Server{
		Addr:              address,
		Handler:           http.HandlerFunc(answer),
		ReadHeaderTimeout: headerTimeout,
	}
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-stopping.Done()
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			log.Printf("requests were cut off: %v", err)
		}
	}()
	log.Printf("hello %s listens on %s", version, address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-stopped
}

func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "hello %s from pod %s on node %s: %s\n",
		version, os.Getenv("POD_NAME"), os.Getenv("NODE_NAME"), os.Getenv("GREETING"))
}
