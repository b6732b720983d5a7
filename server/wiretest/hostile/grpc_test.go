package hostile_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// The types of gRPC, and how each is spoken.
const (
	grpcType    = "application/grpc"
	grpcWebType = "application/grpc-web+proto"
)

func TestGRPC_BrokenFrames(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	good := marshal(t, &apiv1.GetPublicClientsRequest{ClientId: []string{"550e8400-e29b-41d4-a716-446655440000"}})
	// The specification of gRPC asks for internal where a frame is broken, and
	// for unimplemented where there is not one message or no such encoding.
	for _, tt := range []struct {
		name   string
		header map[string]string
		body   []byte
		code   connect.Code // 0: no error
		words  string
	}{
		{"right", nil, frame(0, good), 0, ""},
		{"nothing", nil, nil, connect.CodeUnimplemented, "unary"},
		{"two messages", nil, append(frame(0, good), frame(0, good)...), connect.CodeUnimplemented, "unary"},
		{"a length cut off", nil, []byte{0, 0, 0}, connect.CodeInternal, "incomplete envelope"},
		{"a message cut off", nil, frame(0, good)[:20], connect.CodeInternal, "promised 38 bytes in enveloped message, got 15 bytes"},
		{"a length of 4 GiB", nil, []byte{0, 255, 255, 255, 255}, connect.CodeResourceExhausted, "larger than configured max 65536"},
		{"a length over the limit", nil, []byte{0, 0, 1, 0, 1}, connect.CodeResourceExhausted, "larger than configured max 65536"},
		{"compressed without an encoding", nil, frame(1, servertest.Gzip(t, good)), connect.CodeInternal, "without compression support"},
		{"compressed with an unknown encoding", map[string]string{"Grpc-Encoding": "br"}, frame(1, good), connect.CodeUnimplemented, "supported encodings are gzip"},
		{"compressed", map[string]string{"Grpc-Encoding": "gzip"}, frame(1, servertest.Gzip(t, good)), 0, ""},
		{"compressed, but not really", map[string]string{"Grpc-Encoding": "gzip"}, frame(1, good), connect.CodeInvalidArgument, "gzip: invalid header"},
		{"compressed and cut off", map[string]string{"Grpc-Encoding": "gzip"}, frame(1, servertest.Gzip(t, good)[:20]), connect.CodeInvalidArgument, "unexpected EOF"},
		{"flags that do not exist", nil, frame(0x42, good), connect.CodeInternal, ""},
		{"a message that is none", nil, frame(0, []byte("\xff\xff\xff\xff")), connect.CodeInvalidArgument, "unmarshal message"},
		{"a field of the wrong type", nil, frame(0, protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)), connect.CodeInvalidArgument, "must contain at least 1 item"},
		{"a field longer than the message", nil, frame(0, []byte{0x0a, 0x7f, 'x'}), connect.CodeInvalidArgument, "unmarshal message"},
		{"groups in each other", nil, frame(0, bytes.Repeat([]byte{0x0b}, 60000)), connect.CodeInvalidArgument, "unmarshal message"},
		{"a field without a number", nil, frame(0, []byte{0x02, 0x00}), connect.CodeInvalidArgument, "unmarshal message"},
		{"a timeout of a year", map[string]string{"Grpc-Timeout": "8760H"}, frame(0, good), 0, ""},
		{"a negative timeout", map[string]string{"Grpc-Timeout": "-1S"}, frame(0, good), connect.CodeInvalidArgument, "timeout"},
		{"a timeout of nine digits", map[string]string{"Grpc-Timeout": "999999999S"}, frame(0, good), connect.CodeInvalidArgument, "timeout"},
		{"a timeout without a unit", map[string]string{"Grpc-Timeout": "10"}, frame(0, good), connect.CodeInvalidArgument, "timeout"},
		{"a timeout without a number", map[string]string{"Grpc-Timeout": "S"}, frame(0, good), connect.CodeInvalidArgument, "timeout"},
		{"a timeout of unknown unit", map[string]string{"Grpc-Timeout": "1d"}, frame(0, good), connect.CodeInvalidArgument, "timeout"},
		{"a timeout of zero", map[string]string{"Grpc-Timeout": "0n"}, frame(0, good), connect.CodeDeadlineExceeded, ""},
	} {
		for _, contentType := range []string{grpcType, grpcWebType} {
			got := sendFrames(t, s, publicClients, contentType, tt.header, tt.body)
			if got.code != tt.code || !strings.Contains(got.message, tt.words) {
				t.Errorf("%s as %s: got %v: %q, want %v: … %s", tt.name, contentType, got.code, got.message, tt.code, tt.words)
			}
		}
	}
	s.WantCalm(t)
}

// JSON cannot spell these; the binary format can.
func TestSettings_NotJSON(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	deep := structpb.NewNumberValue(1)
	for range 2000 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	for name, tt := range map[string]struct {
		value   *structpb.Value
		message string
	}{
		"NaN":                       {structpb.NewNumberValue(math.NaN()), "NaN, infinities and values without a kind are not JSON"},
		"infinity":                  {structpb.NewNumberValue(math.Inf(1)), "NaN, infinities and values without a kind are not JSON"},
		"minus infinity":            {structpb.NewNumberValue(math.Inf(-1)), "NaN, infinities and values without a kind are not JSON"},
		"a value without a kind":    {&structpb.Value{}, "NaN, infinities and values without a kind are not JSON"},
		"one inside a list":         {structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{{}}}), "NaN, infinities and values without a kind are not JSON"},
		"2,000 lists in each other": {deep, "must not be nested more than 32 levels deep"},
	} {
		request := servertest.Request()
		request.ApplicationBindings[0].Config.JsonConfig = &structpb.Struct{Fields: map[string]*structpb.Value{"x": tt.value}}
		for _, protocol := range servertest.Protocols()[1:] {
			_, err := s.Clients(protocol, s.Token(t, servertest.All...)).CreateClient(t.Context(), request)
			if got := servertest.CallErrorOf(err); got.Code != connect.CodeInvalidArgument || !strings.Contains(got.Message, tt.message) {
				t.Errorf("%s over %s: got %+v, want invalid_argument: … %s", name, protocol.Name, got, tt.message)
			}
		}
	}
	s.WantCalm(t)
}

// As deep as the size limit lets it be, and deeper than a Protobuf library goes.
func TestSettings_4000DeepInBinary(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	var deep []byte // a Struct with one field, which holds a Struct, and so on
	for range 4000 {
		deep = field(1, append(field(1, []byte("a")), field(2, field(5, deep))...))
	}
	request := field(12, append(field(1, []byte("app")), field(2, field(1, deep))...))
	for _, contentType := range []string{grpcType, grpcWebType} {
		got := sendFrames(t, s, servertest.ClientsPath+"CreateClient", contentType,
			map[string]string{"Authorization": "Bearer " + s.Token(t, servertest.All...)}, frame(0, request))
		if got.code != connect.CodeInvalidArgument || !strings.Contains(got.message, "exceeded maximum recursion depth") {
			t.Errorf("as %s: got %v: %q for a request of %d bytes", contentType, got.code, got.message, len(request))
		}
	}
	s.WantCalm(t)
}

// field is a field of a message in the binary format.
func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// frame is a message as gRPC sends it.
func frame(flags byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...)
}

func marshal(t testing.TB, message proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rpcStatus is the end of a gRPC call.
type rpcStatus struct {
	code    connect.Code
	message string
}

// sendFrames makes a call with a body as it stands: gRPC over HTTP/2, gRPC-Web
// over HTTP/1.1.
func sendFrames(t testing.TB, s *servertest.Server, procedure, contentType string, header map[string]string, body []byte) rpcStatus {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+procedure, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := servertest.HTTPClient(contentType == grpcType).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	servertest.WantNoLeak(t, servertest.Reply{Status: response.StatusCode, Header: response.Header, Body: string(answer)})
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s: got status %d, and gRPC always answers 200", contentType, response.StatusCode)
	}
	return statusOf(t, response, answer)
}

// statusOf finds the status in the trailers, in the header where there is
// nothing else, or in the last frame of gRPC-Web.
func statusOf(t testing.TB, response *http.Response, body []byte) rpcStatus {
	t.Helper()
	found := response.Trailer
	if found.Get("Grpc-Status") == "" {
		found = response.Header
	}
	if found.Get("Grpc-Status") == "" {
		found = http.Header{}
		for line := range strings.SplitSeq(string(body[bytes.LastIndexByte(body, 0x80)+5:]), "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			found.Add(name, strings.TrimSpace(value))
		}
	}
	var code connect.Code
	if status := found.Get("Grpc-Status"); status != "0" {
		code = codeOfStatus(t, status)
	}
	message, err := url.PathUnescape(found.Get("Grpc-Message"))
	if err != nil {
		t.Errorf("message %q: %v", found.Get("Grpc-Message"), err)
	}
	return rpcStatus{code, message}
}

func codeOfStatus(t testing.TB, status string) connect.Code {
	t.Helper()
	for code := connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
		if status == strconv.Itoa(int(code)) {
			return code
		}
	}
	t.Fatalf("got the status %q", status)
	return 0
}
