module example.com/caller

go 1.26.0

require (
	clientsd v0.0.0
	connectrpc.com/connect v1.21.1
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace clientsd => ../../../..
