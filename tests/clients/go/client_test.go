// SPDX-License-Identifier: Apache-2.0

// Package clients calls a Backplane with google.golang.org/grpc, as programs in Go do. Messages are built from the
// descriptors that the server's reflection returns, so reflection is tested too and no code is generated.
package clients

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const pkg = "xyz.block.ftl.v1."

func dial(t *testing.T, address string, creds credentials.TransportCredentials) *grpc.ClientConn {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func inClear(t *testing.T) *grpc.ClientConn {
	return dial(t, strings.TrimPrefix(os.Getenv("FTL_CLEAR"), "http://"), insecure.NewCredentials())
}

func withTLS(t *testing.T) *grpc.ClientConn {
	creds, err := credentials.NewClientTLSFromFile(os.Getenv("FTL_CA"), "")
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, strings.TrimPrefix(os.Getenv("FTL_TLS"), "https://"), creds)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// The descriptors of a service, by reflection.
func reflect(t *testing.T, conn *grpc.ClientConn, service string) protoreflect.ServiceDescriptor {
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, bytes := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(bytes, file); err != nil {
			t.Fatal(err)
		}
		set.File = append(set.File, file)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		t.Fatal(err)
	}
	return found.(protoreflect.ServiceDescriptor)
}

type peer struct {
	conn    *grpc.ClientConn
	service protoreflect.ServiceDescriptor
}

func peerOf(t *testing.T, conn *grpc.ClientConn, service string) peer {
	return peer{conn, reflect(t, conn, pkg+service)}
}

func (p peer) method(name string) protoreflect.MethodDescriptor {
	return p.service.Methods().ByName(protoreflect.Name(name))
}

func (p peer) path(name string) string {
	return "/" + string(p.service.FullName()) + "/" + name
}

func message(t *testing.T, of protoreflect.MessageDescriptor, json string) *dynamicpb.Message {
	made := dynamicpb.NewMessage(of)
	if err := protojson.Unmarshal([]byte(json), made); err != nil {
		t.Fatal(err)
	}
	return made
}

func field(message *dynamicpb.Message, name string) protoreflect.Value {
	return message.Get(message.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

func (p peer) call(t *testing.T, ctx context.Context, name, json string, options ...grpc.CallOption) (*dynamicpb.Message, error) {
	method := p.method(name)
	answer := dynamicpb.NewMessage(method.Output())
	err := p.conn.Invoke(ctx, p.path(name), message(t, method.Input(), json), answer, options...)
	return answer, err
}

func callOf(verb, body string) string {
	module, name, _ := strings.Cut(verb, ".")
	return `{"verb":{"module":"` + module + `","name":"` + name + `"},"body":"` + base64.StdEncoding.EncodeToString([]byte(body)) + `"}`
}

func greet(t *testing.T, conn *grpc.ClientConn, options ...grpc.CallOption) {
	answer, err := peerOf(t, conn, "VerbService").call(t, within(t), "Call", callOf("echo.echo", `{"name":"Bob"}`), options...)
	if err != nil {
		t.Fatal(err)
	}
	if body := string(field(answer, "body").Bytes()); !strings.Contains(body, "Hello, Bob!") {
		t.Fatalf("the verb answered %q", body)
	}
}

func TestCallInClear(t *testing.T)  { greet(t, inClear(t)) }
func TestCallWithTLS(t *testing.T)  { greet(t, withTLS(t)) }
func TestCallWithGzip(t *testing.T) { greet(t, inClear(t), grpc.UseCompressor(gzip.Name)) }

func TestManyCallsOnOneConnection(t *testing.T) {
	p := peerOf(t, inClear(t), "VerbService")
	ctx, failed := within(t), make(chan error, 100)
	for i := 0; i < cap(failed); i++ {
		go func() {
			_, err := p.call(t, ctx, "Call", callOf("time.time", "{}"))
			failed <- err
		}()
	}
	for i := 0; i < cap(failed); i++ {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrors(t *testing.T) {
	p := peerOf(t, inClear(t), "VerbService")
	_, err := p.call(t, within(t), "Call", callOf("nobody.here", "{}"))
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "nobody") {
		t.Fatalf("an unknown module: %v", err)
	}
	in, out := p.method("Ping").Input(), p.method("Ping").Output()
	err = p.conn.Invoke(within(t), p.path("Nothing"), dynamicpb.NewMessage(in), dynamicpb.NewMessage(out))
	if status.Code(err) != codes.Unimplemented {
		t.Fatalf("an unknown method: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	stream := streamOf(t, ctx, peerOf(t, inClear(t), "BackplaneService"), "StreamLogs", `{"follow":true}`)
	for {
		err := stream.RecvMsg(dynamicpb.NewMessage(logs(t).Output()))
		if err == nil {
			continue
		}
		if status.Code(err) != codes.DeadlineExceeded {
			t.Fatal(err)
		}
		return
	}
}

func logs(t *testing.T) protoreflect.MethodDescriptor {
	return peerOf(t, inClear(t), "BackplaneService").method("StreamLogs")
}

func streamOf(t *testing.T, ctx context.Context, p peer, name, json string) grpc.ClientStream {
	stream, err := p.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, p.path(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(message(t, p.method(name).Input(), json)); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestServerStream(t *testing.T) {
	p := peerOf(t, withTLS(t), "BackplaneService")
	answer, err := p.call(t, within(t), "Status", "{}")
	if err != nil {
		t.Fatal(err)
	}
	deployments := field(answer, "deployments").List()
	if deployments.Len() == 0 {
		t.Fatal("there is no deployment")
	}
	key := field(deployments.Get(0).Message().Interface().(*dynamicpb.Message), "key").String()
	stream := streamOf(t, within(t), p, "WatchDeployment", `{"deploymentKey":"`+key+`"}`)
	steps, last := 0, protoreflect.EnumNumber(0)
	for {
		step := dynamicpb.NewMessage(p.method("WatchDeployment").Output())
		if err := stream.RecvMsg(step); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		steps++
		last = field(step, "state").Enum()
	}
	if steps < 2 || last != 2 {
		t.Fatalf("%d steps, the last with state %d", steps, last)
	}
}

func TestClientStream(t *testing.T) {
	p := peerOf(t, inClear(t), "BackplaneService")
	stream, err := p.conn.NewStream(within(t), &grpc.StreamDesc{ClientStreams: true}, p.path("UploadArtefact"))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	method := p.method("UploadArtefact")
	for i := 0; i < 40; i++ {
		piece := []byte(strings.Repeat(string(rune('a'+i%26)), 100_000))
		hash.Write(piece)
		request := dynamicpb.NewMessage(method.Input())
		request.Set(method.Input().Fields().ByName("content"), protoreflect.ValueOfBytes(piece))
		if err := stream.SendMsg(request); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answer := dynamicpb.NewMessage(method.Output())
	if err := stream.RecvMsg(answer); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(field(answer, "digest").Bytes()); got != hex.EncodeToString(hash.Sum(nil)) {
		t.Fatalf("the digest is %s", got)
	}
}

func TestHealth(t *testing.T) {
	client := grpc_health_v1.NewHealthClient(inClear(t))
	answer, err := client.Check(within(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatal(answer, err)
	}
	_, err = client.Check(within(t), &grpc_health_v1.HealthCheckRequest{Service: "no.such.Service"})
	if status.Code(err) != codes.NotFound {
		t.Fatalf("an unknown service: %v", err)
	}
	watch, err := client.Watch(within(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err = watch.Recv(); err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatal(answer, err)
	}
}

func TestReflectionV1Alpha(t *testing.T) {
	stream, err := reflectionv1alpha.NewServerReflectionClient(inClear(t)).ServerReflectionInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1alpha.ServerReflectionRequest{
		MessageRequest: &reflectionv1alpha.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, service := range answer.GetListServicesResponse().GetService() {
		found = found || service.Name == pkg+"VerbService"
	}
	if !found {
		t.Fatalf("the services are %v", answer)
	}
}
