// Command node is the first process of a node of the test cluster.
//
//	node boot CONFIG   starts "node init" in fresh namespaces, prints its pid, ends
//	node init CONFIG   pid 1: mounts, supervises, reaps orphans, answers on a socket
//	node control       beside machined: answers on the socket that it was given
//	pause              (by that name) what every pod's sandbox runs: sleeps
//
// It stands alone on the standard library so that it can also be the one file of an image.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if filepath.Base(os.Args[0]) == "pause" {
		pause()
	}
	if len(os.Args) == 2 && os.Args[1] == control {
		fail(serveControl())
	}
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: node boot|init CONFIG"))
	}
	config, err := readConfig(os.Args[2])
	if err != nil {
		fail(err)
	}
	switch os.Args[1] {
	case "boot":
		err = boot(os.Args[2], config)
	case "init":
		err = initNode(os.Args[2], config)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "node:", err)
	os.Exit(1)
}

// pause holds a pod's namespaces and ends when it is told to.
func pause() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	os.Exit(0)
}
