package main

import (
	"encoding/json"
	"io"
	"net"
)

// tunnel makes a connection inside the node's network and joins it to the caller's: that is how a
// test reaches what listens on the node's own loopback. One line of JSON goes first.
func tunnel(caller net.Conn, address string) {
	inside, err := net.Dial("tcp", address)
	response := Response{Processes: []*Process{}}
	if err != nil {
		response.Error = err.Error()
	}
	if json.NewEncoder(caller).Encode(response) != nil || err != nil {
		return
	}
	defer inside.Close()
	sent := make(chan struct{})
	go func() {
		pump(inside, caller)
		close(sent)
	}()
	pump(caller, inside)
	<-sent
}

// pump copies until the source says that it has no more, and passes that on.
func pump(to, from net.Conn) {
	io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
