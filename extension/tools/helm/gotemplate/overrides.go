package gotemplate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// mapping puts a part of the package's values at a place among a chart's.
type mapping struct {
	SourcePath   string   `json:"sourcePath"`
	TargetPath   string   `json:"targetPath"`
	ExcludePaths []string `json:"excludePaths"`
}

// charted is what Helm is given for a chart.
type charted struct {
	// A values file.
	JSON string `json:"json"`
	// Arguments of --set for the whole numbers: in Helm's values files all numbers
	// are floating ones, are shown as 1e+06 and do not equal 3.
	Set []string `json:"set"`
}

// chart lays the mapped values over what a chart's variables set (Zarf 0.84,
// src/pkg/packager/packager.go generateValuesOverrides).
func chart(values map[string]any, base map[string]any, mappings []mapping) (*charted, error) {
	overrides, _ := copyOf(base).(map[string]any)
	if overrides == nil {
		overrides = map[string]any{}
	}
	for _, m := range mappings {
		source, _ := copyOf(values).(map[string]any)
		for _, path := range m.ExcludePaths {
			if err := remove(source, path); err != nil {
				return nil, fmt.Errorf("excludePaths: %w", err)
			}
		}
		value, err := get(source, m.SourcePath)
		if err != nil {
			return nil, fmt.Errorf("sourcePath: %w", err)
		}
		if err := set(overrides, m.TargetPath, value); err != nil {
			return nil, fmt.Errorf("targetPath: %w", err)
		}
	}
	text, err := json.Marshal(overrides)
	if err != nil {
		return nil, err
	}
	whole := []string{}
	wholeNumbers(overrides, "", &whole)
	slices.Sort(whole)
	return &charted{JSON: string(text), Set: whole}, nil
}

func wholeNumbers(value any, path string, found *[]string) {
	switch v := value.(type) {
	case map[string]any:
		for key, each := range v {
			wholeNumbers(each, strings.TrimPrefix(path+"."+escapeKey(key), "."), found)
		}
	case []any:
		for i, each := range v {
			wholeNumbers(each, fmt.Sprintf("%s[%d]", path, i), found)
		}
	case int64:
		*found = append(*found, path+"="+strconv.FormatInt(v, 10))
	case uint64:
		// Helm reads no larger ones as whole.
		if v <= math.MaxInt64 {
			*found = append(*found, path+"="+strconv.FormatUint(v, 10))
		}
	}
}

// escapeKey guards what --set gives a meaning (helm.sh/helm/v4, pkg/strvals).
func escapeKey(key string) string {
	return strings.NewReplacer(`\`, `\\`, `.`, `\.`, `,`, `\,`, `=`, `\=`, `[`, `\[`).Replace(key)
}
