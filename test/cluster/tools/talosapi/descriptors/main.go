// Command descriptors prints a protobuf CodeGeneratorRequest for the files that are named as
// arguments, as Talos' own Go code has them compiled in: for a plugin as protoc-gen-es.
package main

import (
	"log"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "github.com/cosi-project/runtime/api/v1alpha1"
	_ "github.com/siderolabs/talos/pkg/machinery/api/common"
	_ "github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// wellKnown files come with the library that reads the messages.
const wellKnown = "google/protobuf/"

func main() {
	log.SetFlags(0)
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String(os.Args[1])}
	seen := map[string]bool{}
	for _, path := range os.Args[2:] {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		add(request, seen, file)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(data); err != nil {
		log.Fatal(err)
	}
}

// add puts a file behind those that it imports.
func add(request *pluginpb.CodeGeneratorRequest, seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		add(request, seen, imports.Get(i).FileDescriptor)
	}
	descriptor := protodesc.ToFileDescriptorProto(file)
	descriptor.SourceCodeInfo = &descriptorpb.SourceCodeInfo{}
	request.ProtoFile = append(request.ProtoFile, descriptor)
	if !strings.HasPrefix(file.Path(), wellKnown) {
		request.FileToGenerate = append(request.FileToGenerate, file.Path())
	}
}
