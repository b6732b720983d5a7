package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"clientsd/server/secret"
)

// mountHealth mounts what load balancers ask: /livez, whether the process
// answers; /readyz and grpc.health.v1, whether it can work.
func (r *routes) mountHealth() {
	r.mountOpen("GET ", "/livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	}))
	r.mountOpen("GET ", "/readyz", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		reason, remark := r.readiness(req.Context())
		if reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n" + remark))
	}))
	path, handler := grpchealth.NewHandler(healthChecker{r.Server}, r.stack.OpenOptions())
	handler = r.stack.Open(handler)
	r.mountOpen("", path+"Check", handler)
	r.mountOpen("", path+"Watch", handler)
}

// reflectionMethod is the one method of the reflection services.
const reflectionMethod = "ServerReflectionInfo"

// mountReflection lets tools such as grpcurl and buf curl find the services. What
// they learn is in the public proto files.
func (r *routes) mountReflection() {
	reflector := grpcreflect.NewStaticReflector(append([]string{grpchealth.HealthV1ServiceName}, r.services()...)...)
	path, handler := grpcreflect.NewHandlerV1(reflector, r.stack.OpenOptions())
	r.mountOpen("", path+reflectionMethod, r.stack.Open(handler))
	path, handler = grpcreflect.NewHandlerV1Alpha(reflector, r.stack.OpenOptions())
	r.mountOpen("", path+reflectionMethod, r.stack.Open(handler))
}

// readinessTimeout bounds a check of the readiness.
const readinessTimeout = 4 * time.Second

// readiness returns why the server cannot work now, or an empty reason. A remark is
// for people who look at a server that can work. It checks once for all who ask at
// the same time: everybody may ask.
func (s *Server) readiness(ctx context.Context) (reason, remark string) {
	if s.draining.Load() {
		return "shutting down", ""
	}
	found, _, _ := s.checks.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readinessTimeout)
		defer cancel()
		reason, remark := s.checkReadiness(ctx)
		return [2]string{reason, remark}, nil
	})
	answer, _ := found.([2]string)
	return answer[0], answer[1]
}

// checkReadiness does the work of readiness. Only the log has the causes.
func (s *Server) checkReadiness(ctx context.Context) (reason, remark string) {
	if err := s.storage.DB.Ping(ctx); err != nil {
		s.config.Log.ErrorContext(ctx, "not ready", "error", err)
		return "the database does not answer", ""
	}
	away := s.issuersAway()
	if away > 0 && away == len(s.remotes) {
		return "no issuer's keys are loaded: see the log", ""
	}
	if away > 0 {
		remark = fmt.Sprintf("but the keys of %d of %d issuers are not loaded, and their tokens are not accepted: see the log\n", away, len(s.remotes))
	}
	var keyset *secret.StateError // the keyset logs it
	switch err := s.storage.Keyset.Check(ctx); {
	case errors.As(err, &keyset) && len(keyset.Missing) > 0:
		return "the keyset lacks a key that is in use, and what it has sealed cannot be shown: see the log", ""
	case keyset != nil:
		remark += "but the keyset file is not used, and the next start may fail: see the log\n"
	case err != nil:
		s.config.Log.ErrorContext(ctx, "not ready", "error", err)
		return "the database does not answer", ""
	}
	return "", remark
}

// healthChecker answers grpc.health.v1 with the readiness of the whole server:
// its services live and die together.
type healthChecker struct{ server *Server }

// Check knows the empty name, which means the server, and each service.
func (h healthChecker) Check(ctx context.Context, req *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	known := grpchealth.NewStaticChecker(h.server.services()...)
	resp, err := known.Check(ctx, req)
	if err != nil {
		return nil, err
	}
	if reason, _ := h.server.readiness(ctx); reason != "" {
		resp.Status = grpchealth.StatusNotServing
	}
	return resp, nil
}
