// Command transform answers questions about Zarf's names for images and git repositories with Zarf's
// own code: a JSON line {"function": …, "arguments": […]} on standard input gives a JSON line
// {"result": …} or {"error": …} on standard output.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/zarf-dev/zarf/src/pkg/transform"
)

// maxLine is the longest question, in bytes.
const maxLine = 1 << 20

type question struct {
	Function  string   `json:"function"`
	Arguments []string `json:"arguments"`
}

type answer struct {
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	for lines.Scan() {
		var asked question
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			err = encoder.Encode(reply(asked))
		}
		if err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
	if err := output.Flush(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func reply(asked question) answer {
	result, err := call(asked.Function, asked.Arguments)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Result: result}
}

func call(function string, arguments []string) (any, error) {
	// Of what a function is not given, it gets the empty string.
	a := append(arguments, "", "", "")
	switch function {
	case "ImageTransformHost":
		return transform.ImageTransformHost(a[0], a[1])
	case "ImageTransformHostWithoutChecksum":
		return transform.ImageTransformHostWithoutChecksum(a[0], a[1])
	case "ParseImageRef":
		return transform.ParseImageRef(a[0])
	case "GitURL":
		url, err := transform.GitURL(a[0], a[1], a[2])
		if err != nil {
			return nil, err
		}
		return url.String(), nil
	case "GitURLtoRepoName":
		return transform.GitURLtoRepoName(a[0])
	case "GitURLtoFolderName":
		return transform.GitURLtoFolderName(a[0])
	case "GitURLSplitRef":
		url, ref, err := transform.GitURLSplitRef(a[0])
		return []string{url, ref}, err
	}
	return nil, fmt.Errorf("no function %q", function)
}
