//go:build tools

// Package tools pins distribution's registry, the program in the seed image.
package tools

import _ "github.com/distribution/distribution/v3/cmd/registry"
