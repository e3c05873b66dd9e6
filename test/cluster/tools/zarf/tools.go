//go:build tools

// Package tools pins the real Zarf, the peer that tests and benchmarks run against.
package tools

import _ "github.com/zarf-dev/zarf"
