//go:build tools

// Package tools pins the OCI distribution conformance suite.
package tools

import _ "github.com/opencontainers/distribution-spec/conformance"
