// Command injector serves an image out of ConfigMaps, as Zarf's own injector does to the kubelet while
// `zarf init` brings up its registry (zarf-injector v0.3.0, which is written in Rust and only to be
// had as a download). It is started as the interpreter of a script of that name: what Zarf puts into a
// ConfigMap must be smaller than any Go program.
//
//	injector SCRIPT SHA256 [ADDRESS]
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const (
	initRoot = "/zarf-init"
	baseName = "org.opencontainers.image.base.name"
)

// descriptor is an entry of index.json, and the head of any manifest.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

type layout struct {
	files map[string][]byte
	// names are image names without a host, "library/registry:3.1.2".
	names map[string]string
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: injector SCRIPT SHA256 [ADDRESS]")
	}
	address := "0.0.0.0:5000"
	if len(os.Args) > 3 {
		address = os.Args[3]
	}
	images, err := load(initRoot, os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(address, images))
}

// load puts the payload together, checks it and unpacks it into memory.
func load(root, sum string) (*layout, error) {
	parts, err := filepath.Glob(root + "/zarf-payload-*")
	if err != nil {
		return nil, err
	}
	sort.Strings(parts)
	var payload bytes.Buffer
	for _, part := range parts {
		content, err := os.ReadFile(part)
		if err != nil {
			return nil, err
		}
		payload.Write(content)
	}
	if found := sha256.Sum256(payload.Bytes()); hex.EncodeToString(found[:]) != sum {
		return nil, errors.New("the payload is not what it should be")
	}
	images := &layout{files: map[string][]byte{}, names: map[string]string{}}
	if err := images.unpack(&payload); err != nil {
		return nil, err
	}
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(images.files["index.json"], &index); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	for _, manifest := range index.Manifests {
		images.names[manifest.Annotations[baseName]] = manifest.Digest
	}
	return images, nil
}

func (l *layout) unpack(payload io.Reader) error {
	unzipped, err := gzip.NewReader(payload)
	if err != nil {
		return err
	}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		l.files[filepath.Clean(header.Name)] = content
	}
}

func (l *layout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	path := strings.TrimPrefix(r.URL.Path, "/v2")
	if path == "" || path == "/" {
		return
	}
	name, reference, isManifest := strings.Cut(strings.TrimPrefix(path, "/"), "/manifests/")
	if !isManifest {
		reference = path[strings.LastIndex(path, "/")+1:]
	}
	digest := reference
	if !strings.HasPrefix(reference, "sha256:") {
		digest = l.names[name+":"+reference]
	}
	content, ok := l.files["blobs/sha256/"+strings.TrimPrefix(digest, "sha256:")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	kind := "application/octet-stream"
	if isManifest {
		var head descriptor
		if json.Unmarshal(content, &head) == nil && head.MediaType != "" {
			kind = head.MediaType
		} else {
			kind = "application/vnd.oci.image.manifest.v1+json"
		}
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}
