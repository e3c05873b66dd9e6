package gotemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// layer is one thing that a package's values come from; a later one wins.
type layer struct {
	// A YAML document: maps are merged, everything else is replaced.
	YAML *string `json:"yaml,omitempty"`
	// One value at a path.
	Set *setValue `json:"set,omitempty"`
}

type setValue struct {
	Path string `json:"path"`
	Text string `json:"text"`
	// `inferred` for what a person writes on a command line, else the type of an
	// action's setValues.
	Type string `json:"type"`
}

// build lays the layers over each other. Errors name the layer and never show
// what is in it.
func build(layers []layer) (map[string]any, error) {
	values := map[string]any{}
	for i, l := range layers {
		if err := l.apply(values); err != nil {
			return nil, fmt.Errorf("values %d: %w", i, err)
		}
	}
	return values, nil
}

func (l layer) apply(values map[string]any) error {
	if l.YAML != nil {
		document := map[string]any{}
		err := yaml.NewDecoder(strings.NewReader(*l.YAML)).Decode(&document)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.New(yaml.FormatError(err, false, false))
		}
		merge(values, document)
	}
	if l.Set == nil {
		return nil
	}
	value, err := l.Set.value()
	if err != nil {
		return err
	}
	return set(values, l.Set.Path, value)
}

func (s setValue) value() (any, error) {
	var parsed any
	switch s.Type {
	case "inferred":
		return infer(s.Text), nil
	case "string", "":
		return s.Text, nil
	case "yaml":
		if err := yaml.Unmarshal([]byte(s.Text), &parsed); err != nil {
			return nil, fmt.Errorf("%s is not YAML: %s", s.Path, yaml.FormatError(err, false, false))
		}
	case "json":
		if err := json.Unmarshal([]byte(s.Text), &parsed); err != nil {
			return nil, fmt.Errorf("%s is not JSON: %w", s.Path, err)
		}
	default:
		return nil, fmt.Errorf("%s has the unknown type %q", s.Path, s.Type)
	}
	return parsed, nil
}

// infer is Zarf's reading of what `--set-values` gives (src/pkg/value/value.go
// InferType): booleans and whole numbers without a leading zero, all else is
// text, and so is what stands in single quotes.
func infer(s string) any {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if strings.EqualFold(s, "true") {
		return true
	}
	if strings.EqualFold(s, "false") {
		return false
	}
	if s == "0" {
		return int64(0)
	}
	if len(s) != 0 && s[0] != '0' {
		if number, err := strconv.ParseInt(s, 10, 64); err == nil {
			return number
		}
	}
	return s
}

func merge(into, from map[string]any) {
	for key, value := range from {
		newMap, newIsMap := value.(map[string]any)
		oldMap, oldIsMap := into[key].(map[string]any)
		if newIsMap && oldIsMap {
			merge(oldMap, newMap)
		} else {
			into[key] = value
		}
	}
}

// segments splits `.a.b`; none are the root.
func segments(path string) ([]string, error) {
	if !strings.HasPrefix(path, ".") {
		return nil, fmt.Errorf("the path %q does not begin with a dot", path)
	}
	if path == "." {
		return nil, nil
	}
	return strings.Split(path[1:], "."), nil
}

func set(values map[string]any, path string, value any) error {
	keys, err := segments(path)
	if err != nil {
		return err
	}
	newMap, isMap := value.(map[string]any)
	if len(keys) == 0 {
		if !isMap {
			return errors.New("only a map can be put at the root")
		}
		merge(values, newMap)
		return nil
	}
	last := len(keys) - 1
	for i, key := range keys[:last] {
		if _, there := values[key]; !there {
			values[key] = map[string]any{}
		}
		next, ok := values[key].(map[string]any)
		if !ok {
			return fmt.Errorf("the path %q goes through another value at %q", path, strings.Join(keys[:i+1], "."))
		}
		values = next
	}
	if oldMap, oldIsMap := values[keys[last]].(map[string]any); isMap && oldIsMap {
		merge(oldMap, newMap)
	} else {
		values[keys[last]] = value
	}
	return nil
}

func get(values map[string]any, path string) (any, error) {
	keys, err := segments(path)
	if err != nil {
		return nil, err
	}
	var at any = values
	for _, key := range keys {
		next, ok := at.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the path %q goes through another value", path)
		}
		if at, ok = next[key]; !ok {
			return nil, fmt.Errorf("there is no value at %q", path)
		}
	}
	return at, nil
}

func remove(values map[string]any, path string) error {
	keys, err := segments(path)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return errors.New("the root cannot be left out")
	}
	last := len(keys) - 1
	for _, key := range keys[:last] {
		next, there := values[key]
		if !there {
			return nil
		}
		nextMap, ok := next.(map[string]any)
		if !ok {
			return fmt.Errorf("the path %q goes through another value", path)
		}
		values = nextMap
	}
	delete(values, keys[last])
	return nil
}

// copyOf is deep, so that what one chart is given does not change another's.
func copyOf(value any) any {
	switch v := value.(type) {
	case map[string]any:
		made := make(map[string]any, len(v))
		for key, each := range v {
			made[key] = copyOf(each)
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, each := range v {
			made[i] = copyOf(each)
		}
		return made
	}
	return value
}

// withNumbers decodes JSON whose whole numbers stay whole.
func withNumbers(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return plainNumbers(value), nil
}

func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		fraction, _ := v.Float64()
		return fraction
	case map[string]any:
		for key, each := range v {
			v[key] = plainNumbers(each)
		}
	case []any:
		for i, each := range v {
			v[i] = plainNumbers(each)
		}
	}
	return value
}
