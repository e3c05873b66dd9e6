package main

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

var (
	everybody = role.MakeSet(role.Admin, role.Operator, role.Reader)
	operators = role.MakeSet(role.Admin, role.Operator)
)

// rules are those of machined (Talos 1.13, internal/app/machined/pkg/system/services/machined.go);
// what is not here is for admins.
var rules = map[string]role.Set{
	"/machine.ImageService/List":             everybody,
	"/machine.ImageService/Pull":             operators,
	"/machine.MachineService/EtcdMemberList": role.MakeSet(role.Admin, role.Operator, role.Reader, role.EtcdBackup),
	"/machine.MachineService/EtcdStatus":     role.MakeSet(role.Admin, role.Operator, role.Reader, role.EtcdBackup),
	"/machine.MachineService/List":           everybody,
	"/machine.MachineService/Reboot":         operators,
	"/machine.MachineService/ServiceList":    everybody,
	"/machine.MachineService/ServiceStart":   operators,
	"/machine.MachineService/Version":        everybody,
	"/cosi.resource.State/Get":               everybody,
	"/cosi.resource.State/List":              everybody,
	"/cosi.resource.State/Watch":             everybody,
}

var errNotAuthorized = status.Error(codes.PermissionDenied, "not authorized")

func rolesOf(ctx context.Context) role.Set {
	md, _ := metadata.FromIncomingContext(ctx)
	roles, _ := role.Parse(md.Get("talos-role"))
	return roles
}

func authorize(ctx context.Context, method string) error {
	allowed, known := rules[method]
	if !known {
		allowed = role.MakeSet(role.Admin)
	}
	if rolesOf(ctx).IncludesAny(allowed) {
		return nil
	}
	return errNotAuthorized
}

// gate says what is called, asks for the role, and fails what it was told to fail.
type gate struct {
	sync.Mutex
	failures map[string]failure
}

func (g *gate) set(f failure) {
	g.Lock()
	defer g.Unlock()
	g.failures[f.Method] = f
}

func (g *gate) failureOf(method string) failure {
	g.Lock()
	defer g.Unlock()
	return g.failures[method]
}

func (g *gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	tell(info.FullMethod, ctx, req)
	if err := authorize(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	if err := g.fail(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// fail waits and fails as it was told.
func (g *gate) fail(ctx context.Context, method string) error {
	f := g.failureOf(method)
	select {
	case <-ctx.Done():
		say(map[string]string{"cancelled": method})
		return ctx.Err()
	case <-time.After(time.Duration(f.Millis) * time.Millisecond):
	}
	if f.Code == 0 {
		return nil
	}
	return status.Error(codes.Code(f.Code), f.Message)
}

func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx := stream.Context()
	tell(info.FullMethod, ctx, nil)
	if err := authorize(ctx, info.FullMethod); err != nil {
		return err
	}
	f := g.failureOf(info.FullMethod)
	if f.After == 0 {
		if err := g.fail(ctx, info.FullMethod); err != nil {
			return err
		}
		return next(srv, stream)
	}
	return next(srv, &failingStream{ServerStream: stream, failure: f})
}

// failingStream fails after some messages.
type failingStream struct {
	grpc.ServerStream
	failure failure
	sent    int
}

func (s *failingStream) SendMsg(m any) error {
	if s.sent == s.failure.After {
		return status.Error(codes.Code(s.failure.Code), s.failure.Message)
	}
	s.sent++
	return s.ServerStream.SendMsg(m)
}

func tell(method string, ctx context.Context, req any) {
	line := map[string]any{"call": method, "roles": rolesOf(ctx).Strings()}
	if message, ok := req.(proto.Message); ok {
		if text, err := protojson.Marshal(message); err == nil {
			line["request"] = json.RawMessage(text)
		}
	}
	say(line)
}
