package gotemplate

import (
	"text/template"
	"text/template/parse"
)

// references lists the `.Values` paths that a template names, without running
// it: `.Values.db.host` and `index .Values "db" "host"`. What only running can
// tell (a dot that `with` or `range` moved, a variable, a computed key) is left
// out. Zarf 0.84, src/pkg/template/refs.go.
func references(text string) ([][]string, error) {
	parsed, err := template.New("refs").Funcs(functions()).Parse(text)
	if err != nil {
		return nil, err
	}
	found := [][]string{}
	for _, t := range parsed.Templates() {
		if t.Tree != nil && t.Root != nil {
			walk(t.Root, &found)
		}
	}
	return found, nil
}

func walk(n parse.Node, found *[][]string) {
	switch node := n.(type) {
	case *parse.ListNode:
		if node == nil {
			return
		}
		for _, child := range node.Nodes {
			walk(child, found)
		}
	case *parse.ActionNode:
		walk(node.Pipe, found)
	case *parse.PipeNode:
		if node == nil {
			return
		}
		for _, command := range node.Cmds {
			walk(command, found)
		}
	case *parse.CommandNode:
		if path, ok := indexPath(node); ok {
			*found = append(*found, path)
			return
		}
		for _, arg := range node.Args {
			walk(arg, found)
		}
	case *parse.FieldNode:
		if len(node.Ident) > 1 && node.Ident[0] == "Values" {
			*found = append(*found, node.Ident[1:])
		}
	case *parse.ChainNode:
		walk(node.Node, found)
	case *parse.IfNode:
		walkBranch(&node.BranchNode, found)
	case *parse.RangeNode:
		walkBranch(&node.BranchNode, found)
	case *parse.WithNode:
		walkBranch(&node.BranchNode, found)
	case *parse.TemplateNode:
		walk(node.Pipe, found)
	}
}

func walkBranch(branch *parse.BranchNode, found *[][]string) {
	walk(branch.Pipe, found)
	walk(branch.List, found)
	walk(branch.ElseList, found)
}

// indexPath is the path of `index .Values … "key" …` when every key is written
// out.
func indexPath(command *parse.CommandNode) ([]string, bool) {
	if len(command.Args) < 2 {
		return nil, false
	}
	if name, ok := command.Args[0].(*parse.IdentifierNode); !ok || name.Ident != "index" {
		return nil, false
	}
	field, ok := command.Args[1].(*parse.FieldNode)
	if !ok || len(field.Ident) == 0 || field.Ident[0] != "Values" {
		return nil, false
	}
	path := append([]string(nil), field.Ident[1:]...)
	for _, arg := range command.Args[2:] {
		key, ok := arg.(*parse.StringNode)
		if !ok {
			return nil, false
		}
		path = append(path, key.Text)
	}
	return path, len(path) > 0
}
