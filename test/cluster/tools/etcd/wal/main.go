// Command wal writes etcd's log as etcd itself does, up to a place:
//
//	wal DIRECTORY void|state|entry|snapshot
//
// DIRECTORY/member is made. void is what is there before anything is decided.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: wal DIRECTORY void|state|entry|snapshot"))
	}
	member := filepath.Join(os.Args[1], "member")
	fail(os.MkdirAll(filepath.Join(member, "snap"), 0o700))
	metadata, err := (&etcdserverpb.Metadata{NodeID: 1, ClusterID: 2}).Marshal()
	fail(err)
	log, err := wal.Create(zap.NewNop(), filepath.Join(member, "wal"), metadata)
	fail(err)
	switch os.Args[2] {
	case "void":
	case "state":
		fail(log.Save(raftpb.HardState{Term: 1, Commit: 0}, nil))
	case "entry":
		entry := raftpb.Entry{Term: 1, Index: 1, Type: raftpb.EntryConfChange, Data: []byte("one")}
		fail(log.Save(raftpb.HardState{Term: 1, Commit: 1}, []raftpb.Entry{entry}))
	case "snapshot":
		state := &raftpb.ConfState{Voters: []uint64{1}}
		fail(log.SaveSnapshot(walpb.Snapshot{Index: 1, Term: 1, ConfState: state}))
	default:
		fail(fmt.Errorf("unknown place %q", os.Args[2]))
	}
	fail(log.Close())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
