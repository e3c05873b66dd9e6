// Talos' own judgement of a system extension, as Talos' imager and machined would come to it, and the
// checks that Talos leaves out.
//
//	talos-validate [-talos v1.13.0] [-layout DIR | -archive FILE] DIR
//
// With -layout the image is taken out of an OCI layout into DIR first, as the imager takes it
// (Talos 1.13.0, pkg/imager/profile/input.go), with -archive out of a tar file as crane reads it.
// Prints one JSON list of findings; ends with 1 when there are any, with 2 when nothing could be
// looked at.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

// Finding is something that is wrong.
type Finding struct {
	// By is "talos" where Talos' own code says it, "holdfast" where Talos would have said nothing.
	By      string `json:"by"`
	Check   string `json:"check"`
	Message string `json:"message"`
}

func main() {
	version := flag.String("talos", "v1.13.0", "the version of Talos that is to take it")
	layout := flag.String("layout", "", "an OCI layout to unpack into DIR first")
	archive := flag.String("archive", "", "an image in a tar file to unpack into DIR first")
	arch := flag.String("arch", "amd64", "the processor of the image in the layout")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	dir := flag.Arg(0)
	if err := unpack(*layout, *archive, *arch, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	found := check(dir, *version)
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(2)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}
