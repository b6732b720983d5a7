module example.com/commandline

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	github.com/google/go-cmp v0.7.0
)

require google.golang.org/protobuf v1.36.12 // indirect
