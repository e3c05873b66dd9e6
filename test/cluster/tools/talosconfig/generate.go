package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/validation"
	"github.com/siderolabs/talos/pkg/machinery/constants"
)

// site is what machine configurations are made for: the nodes share its secrets.
type site struct {
	Name string `json:"name"`
	// Endpoint is the address of the API server.
	Endpoint string     `json:"endpoint"`
	Nodes    []question `json:"nodes"`
}

// generated is a node's configuration, and what Talos reads in it of what concerns Holdfast.
type generated struct {
	Config   string    `json:"config"`
	Contains contained `json:"contains"`
}

// generateSite makes new secrets and prints the configurations of all nodes, a JSON list.
func generateSite(from io.Reader, to io.Writer) error {
	var asked site
	if err := json.NewDecoder(from).Decode(&asked); err != nil {
		return err
	}
	input, err := generate.NewInput(asked.Name, fmt.Sprintf("https://%s:6443", asked.Endpoint),
		constants.DefaultKubernetesVersion,
		generate.WithVersionContract(config.TalosVersion1_13),
		generate.WithAdditionalSubjectAltNames([]string{asked.Endpoint}))
	if err != nil {
		return err
	}
	var all []generated
	for _, node := range asked.Nodes {
		made, err := generateNode(input, node)
		if err != nil {
			return err
		}
		all = append(all, made)
	}
	return json.NewEncoder(to).Encode(all)
}

func generateNode(input *generate.Input, asked question) (generated, error) {
	read, err := patched(input, asked)
	if err != nil {
		return generated{}, err
	}
	if _, err := read.Validate(container, validation.WithLocal()); err != nil {
		return generated{}, err
	}
	text, err := read.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	return generated{string(text), contents(read)}, err
}
