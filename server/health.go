package server

import (
	"context"
	"fmt"
	"net/http"

	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
)

// handleHealth mounts what load balancers ask: /livez, whether the process
// answers; /readyz and grpc.health.v1, whether it can do its work.
func (s *Server) handleHealth(mux *http.ServeMux) {
	mux.HandleFunc(livePattern, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc(readyPattern, func(w http.ResponseWriter, r *http.Request) {
		if reason := s.notReady(r.Context()); reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n" + s.remark()))
	})
	handleOpen(mux)(grpchealth.NewHandler(healthChecker{s}, withLimits()))
}

// notReady is why the server cannot work now, or empty. It names no cause an
// outsider could use; the log does.
func (s *Server) notReady(ctx context.Context) string {
	if s.draining.Load() {
		return "shutting down"
	}
	if err := s.storage.DB.Ping(ctx); err != nil {
		s.config.Log.ErrorContext(ctx, "not ready", "error", err)
		return "the database does not answer"
	}
	if away := s.issuersAway(); away > 0 && away == len(s.remotes) {
		return "no issuer's keys are loaded: see the log"
	}
	return ""
}

// remark is what people who look at a server that can work should know, or empty.
func (s *Server) remark() string {
	if away := s.issuersAway(); away > 0 {
		return fmt.Sprintf("but the keys of %d of %d issuers are not loaded, and their tokens are not accepted: see the log\n", away, len(s.remotes))
	}
	return ""
}

// healthChecker answers grpc.health.v1 with the readiness of the whole server:
// its services live and die together.
type healthChecker struct{ server *Server }

// Check knows the empty name, which means the server, and each service.
func (h healthChecker) Check(ctx context.Context, req *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	known := grpchealth.NewStaticChecker(h.server.services()...)
	answer, err := known.Check(ctx, req)
	if err != nil {
		return nil, err
	}
	if h.server.notReady(ctx) != "" {
		answer.Status = grpchealth.StatusNotServing
	}
	return answer, nil
}

// handleReflection lets tools such as grpcurl and buf curl find the services.
// What they learn is in the public proto files.
func handleReflection(mux *http.ServeMux, services []string) {
	reflector := grpcreflect.NewStaticReflector(append([]string{grpchealth.HealthV1ServiceName}, services...)...)
	handle := handleOpen(mux)
	handle(grpcreflect.NewHandlerV1(reflector, withLimits()))
	handle(grpcreflect.NewHandlerV1Alpha(reflector, withLimits()))
}

// handleOpen mounts a service that needs no token, under the same bounds of
// what it reads as those that do.
func handleOpen(mux *http.ServeMux) func(path string, h http.Handler) {
	return func(path string, h http.Handler) { mux.Handle(path, limitBody(h)) }
}
