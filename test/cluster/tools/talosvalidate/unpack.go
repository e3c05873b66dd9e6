package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// unpack takes an image's files into dir; nothing when none is named.
func unpack(ociPath, archive, arch, dir string) error {
	var (
		img v1.Image
		err error
	)
	switch {
	case ociPath != "":
		img, err = fromLayout(ociPath, arch)
	case archive != "":
		// What `crane push` does with a file.
		img, err = tarball.ImageFromPath(archive, nil)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	// Every digest and size, of the compressed layer and of what is in it.
	if err = validate.Image(img); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	if len(layers) != 1 {
		return fmt.Errorf("the image has %d layers, not one", len(layers))
	}
	flat := mutate.Extract(img)
	defer flat.Close()
	return untar(flat, dir)
}

// fromLayout finds the image as the imager does: among the index' own entries, by platform.
func fromLayout(path, arch string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, each := range manifest.Manifests {
		if each.Platform == nil {
			return nil, fmt.Errorf("the entry %s of the index has no platform", each.Digest)
		}
		if each.Platform.Satisfies(v1.Platform{OS: "linux", Architecture: arch}) {
			return index.Image(each.Digest)
		}
	}
	return nil, fmt.Errorf("the index has no image for linux/%s", arch)
}

// untar does with entries what Talos does (Talos 1.13.0, pkg/archiver/untar.go): what is no directory
// and no symbolic link becomes a file, so a hard link becomes an empty one.
func untar(r io.Reader, dir string) error {
	entries := tar.NewReader(r)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err = untarOne(entries, header, filepath.Join(dir, filepath.Clean("/"+header.Name))); err != nil {
			return err
		}
	}
}

func untarOne(r io.Reader, header *tar.Header, path string) error {
	mode := header.FileInfo().Mode()
	switch header.Typeflag {
	case tar.TypeDir:
		mode = mode&os.ModePerm | 0o700
		if err := os.Mkdir(path, mode); err != nil && !os.IsExist(err) {
			return err
		}
		return os.Chmod(path, mode)
	case tar.TypeSymlink:
		return os.Symlink(header.Linkname, path)
	default:
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		if _, err = io.Copy(file, r); err != nil {
			return err
		}
		if err = file.Close(); err != nil {
			return err
		}
		return os.Chmod(path, mode)
	}
}
