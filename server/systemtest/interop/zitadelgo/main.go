// Command zitadel-go rotates a client's secret with ZITADEL's own client for
// Go, over gRPC in plain text. It prints {"secret": …}, or {"code": …,
// "message": …} if it is refused.
//
// It is a module of its own: ZITADEL's messages and ours are registered under
// the same names, and one program can hold only one of them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/zitadel"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "zitadel-go:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 6 {
		return errors.New("usage: zitadel-go HOST PORT TOKEN ORGANISATION PROJECT APP; an empty ORGANISATION names none")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	secret, err := rotate(ctx, zitadel.New(args[0], zitadel.WithInsecure(args[1])), args[2], args[3], args[4], args[5])
	answer := map[string]any{"secret": secret}
	if refusal := status.Convert(err); err != nil {
		answer = map[string]any{"code": refusal.Code(), "message": refusal.Message()}
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// rotate calls with the token as a personal access token.
func rotate(ctx context.Context, at *zitadel.Zitadel, token, organisation, project, app string) (string, error) {
	api, err := client.New(ctx, at, client.WithAuth(client.PAT(token)))
	if err != nil {
		return "", fmt.Errorf("make client: %w", err)
	}
	if organisation != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-zitadel-orgid", organisation)
	}
	answer, err := api.ManagementService().RegenerateOIDCClientSecret(ctx,
		&management.RegenerateOIDCClientSecretRequest{ProjectId: project, AppId: app})
	if err != nil {
		return "", err
	}
	return answer.GetClientSecret(), nil
}
