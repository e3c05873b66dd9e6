// Package gotemplate fills in the Go templates of a Zarf package and works with
// its values, as Zarf 0.84 does. One JSON document comes on standard input, one
// goes out on standard output: what is filled in may be secret, and must stand
// in no argument and no environment.
package gotemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"text/template"

	"github.com/BurntSushi/toml"
	"github.com/xeipuuv/gojsonschema"
)

const (
	// The longest text that one template may come to, in bytes.
	maxText = 32 << 20
	// What a template that grows without end may take, in bytes of addresses; Go
	// reserves some 600 MiB of them for itself.
	maxMemory = 2 << 30
)

type request struct {
	Values    []layer           `json:"values"`
	Package   *zarfPackage      `json:"package"`
	Constants map[string]string `json:"constants"`
	Variables map[string]string `json:"variables"`
	State     json.RawMessage   `json:"state"`
	Tasks     []task            `json:"tasks"`
}

type task struct {
	// render, references, merged, validate, chart or toml
	Kind string `json:"kind"`
	// The template, the schema, the TOML document.
	Text string `json:"text"`
	// Of the template, for messages.
	Name string `json:"name"`
	// chart: what its variables set, and what of the values it gets.
	Base     map[string]any `json:"base"`
	Mappings []mapping      `json:"mappings"`
}

type result struct {
	Text       *string    `json:"text,omitempty"`
	References [][]string `json:"references,omitempty"`
	Problems   []string   `json:"problems,omitempty"`
	Value      any        `json:"value,omitempty"`
	Chart      *charted   `json:"chart,omitempty"`
	Error      string     `json:"error,omitempty"`
}

type answer struct {
	Results []result `json:"results"`
	// Why nothing at all could be done: the values or the state.
	Error string `json:"error,omitempty"`
}

// Run answers one request and returns the exit code.
func Run(stdin io.Reader, stdout, stderr io.Writer) int {
	limit := syscall.Rlimit{Cur: maxMemory, Max: maxMemory}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		fmt.Fprintln(stderr, "gotemplate: memory cannot be limited:", err)
		return 1
	}
	var asked request
	if err := json.NewDecoder(stdin).Decode(&asked); err != nil {
		fmt.Fprintln(stderr, "gotemplate: the request is not readable:", err)
		return 1
	}
	if err := json.NewEncoder(stdout).Encode(asked.answer()); err != nil {
		fmt.Fprintln(stderr, "gotemplate:", err)
		return 1
	}
	return 0
}

func (r request) answer() answer {
	values, err := build(r.Values)
	if err != nil {
		return answer{Error: err.Error()}
	}
	objects, err := r.objects(values)
	if err != nil {
		return answer{Error: err.Error()}
	}
	results := make([]result, len(r.Tasks))
	for i, t := range r.Tasks {
		if results[i], err = t.do(values, objects); err != nil {
			results[i] = result{Error: err.Error()}
		}
	}
	return answer{Results: results}
}

// objects are what templates see. What was not given is not there, so that a
// template that names it fails, as in Zarf.
func (r request) objects(values map[string]any) (map[string]any, error) {
	objects := map[string]any{"Values": values}
	if r.Package != nil {
		objects["Pkg"] = *r.Package
	}
	if r.Constants != nil {
		objects["Constants"] = r.Constants
	}
	if r.Variables != nil {
		objects["Variables"] = r.Variables
	}
	if r.State == nil {
		return objects, nil
	}
	state, err := withNumbers(r.State)
	objects["State"] = state
	return objects, err
}

func (t task) do(values, objects map[string]any) (result, error) {
	switch t.Kind {
	case "render":
		text, err := render(t.Name, t.Text, objects)
		return result{Text: &text}, err
	case "references":
		found, err := references(t.Text)
		return result{References: found}, err
	case "merged":
		return result{Value: values}, nil
	case "validate":
		problems, err := validate(t.Text, values)
		return result{Problems: problems}, err
	case "chart":
		made, err := chart(values, t.Base, t.Mappings)
		return result{Chart: made}, err
	case "toml":
		document := map[string]any{}
		// The error without its place shows a part of the document.
		if err := toml.Unmarshal([]byte(t.Text), &document); err != nil {
			return result{}, errors.New(tomlProblem(err))
		}
		return result{Value: document}, nil
	}
	return result{}, fmt.Errorf("there is no task %q", t.Kind)
}

func tomlProblem(err error) string {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Sprintf("line %d is not TOML", parse.Position.Line)
	}
	return "it is not TOML"
}

func render(name, text string, objects map[string]any) (string, error) {
	parsed, err := template.New(name).Funcs(functions()).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var out limited
	if err := parsed.Execute(&out, objects); err != nil {
		return "", err
	}
	return out.String(), nil
}

// limited is a buffer that refuses what would make it longer than maxText.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxText {
		return 0, fmt.Errorf("it comes to more than %d bytes", maxText)
	}
	return l.Buffer.Write(p)
}

// validate says what of the values a JSON schema does not allow; the library is
// Zarf's, so that its judgement is.
func validate(schema string, values map[string]any) ([]string, error) {
	var document any
	if err := json.Unmarshal([]byte(schema), &document); err != nil {
		return nil, err
	}
	if ref := outwardReference(document); ref != "" {
		return nil, fmt.Errorf("the schema refers to %q, which is not in it", ref)
	}
	checked, err := gojsonschema.Validate(
		gojsonschema.NewStringLoader(schema),
		gojsonschema.NewGoLoader(values),
	)
	if err != nil {
		return nil, err
	}
	problems := []string{}
	for _, problem := range checked.Errors() {
		problems = append(problems, problem.String())
	}
	return problems, nil
}

// outwardReference is a reference to another file or the network, which nothing
// may be fetched from (Zarf 0.84, src/pkg/value/schema.go CheckNoExternalRefs).
func outwardReference(node any) string {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			ref, isText := value.(string)
			switch key {
			case "$ref", "$dynamicRef", "$recursiveRef":
				if isText && !strings.HasPrefix(ref, "#") {
					return ref
				}
			}
			if found := outwardReference(value); found != "" {
				return found
			}
		}
	case []any:
		for _, value := range n {
			if found := outwardReference(value); found != "" {
				return found
			}
		}
	}
	return ""
}
