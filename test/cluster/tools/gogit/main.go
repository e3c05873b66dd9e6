// Command gogit clones a repository with go-git, the client of Flux's source-controller, and prints
// the commit that it has checked out and the subjects of the history that it has got. What to clone
// are flags; the password is in the environment.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"
)

func main() {
	url := flag.String("url", "", "what to clone")
	username := flag.String("username", "", "who asks; the password is in PASSWORD")
	reference := flag.String("reference", "", "refs/heads/… or refs/tags/…; otherwise the default branch")
	commit := flag.String("commit", "", "what to check out, of a clone with all of its history")
	depth := flag.Int("depth", 0, "how many commits to get; 0 for all")
	flag.Parse()
	if err := run(*url, *username, *reference, *commit, *depth); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run does as source-controller's pkg/git/gogit cloneBranch, cloneTag and cloneCommit: a single
// branch, no tags beside it.
func run(url, username, reference, commit string, depth int) error {
	repository, err := git.Clone(memory.NewStorage(), nil, &git.CloneOptions{
		URL:           url,
		Auth:          &http.BasicAuth{Username: username, Password: os.Getenv("PASSWORD")},
		ReferenceName: plumbing.ReferenceName(reference),
		SingleBranch:  commit == "" || reference != "",
		NoCheckout:    true,
		Depth:         depth,
		Tags:          git.NoTags,
	})
	if err != nil {
		return err
	}
	head, err := repository.Head()
	if err != nil {
		return err
	}
	hash := head.Hash()
	if commit != "" {
		hash = plumbing.NewHash(commit)
	}
	return show(repository, hash)
}

func show(repository *git.Repository, hash plumbing.Hash) error {
	commit, err := repository.CommitObject(hash)
	if err != nil {
		return err
	}
	tree, err := commit.Tree()
	if err != nil {
		return err
	}
	// All files must be readable: a pack that lacks an object is found here.
	files := 0
	err = tree.Files().ForEach(func(file *object.File) error {
		files++
		_, err := file.Contents()
		return err
	})
	if err != nil {
		return err
	}
	fmt.Println(hash, files)
	return history(repository, hash)
}

func history(repository *git.Repository, hash plumbing.Hash) error {
	commits, err := repository.Log(&git.LogOptions{From: hash})
	if err != nil {
		return err
	}
	defer commits.Close()
	for {
		commit, err := commits.Next()
		// A shallow clone ends where its commits' parents are not there.
		if errors.Is(err, io.EOF) || errors.Is(err, plumbing.ErrObjectNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println(strings.SplitN(commit.Message, "\n", 2)[0])
	}
}
