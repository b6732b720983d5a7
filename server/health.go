package server

import (
	"context"
	"fmt"
	"net/http"

	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
)

// mountHealth mounts what load balancers ask: /livez, whether the process
// answers; /readyz and grpc.health.v1, whether it can work.
func (r *routes) mountHealth() {
	r.mountOpen("GET ", "/livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	}))
	r.mountOpen("GET ", "/readyz", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if reason := r.notReady(req.Context()); reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n" + r.remark()))
	}))
	path, handler := grpchealth.NewHandler(healthChecker{r.Server}, r.stack.OpenOptions())
	handler = r.stack.Open(handler)
	r.mountOpen("", path+"Check", handler)
	r.mountOpen("", path+"Watch", handler)
	r.mux.Handle(path, handler)
}

// mountReflection lets tools such as grpcurl and buf curl find the services. What
// they learn is in the public proto files.
func (r *routes) mountReflection() {
	reflector := grpcreflect.NewStaticReflector(append([]string{grpchealth.HealthV1ServiceName}, r.services()...)...)
	path, handler := grpcreflect.NewHandlerV1(reflector, r.stack.OpenOptions())
	r.mountOpen("", path, r.stack.Open(handler))
	path, handler = grpcreflect.NewHandlerV1Alpha(reflector, r.stack.OpenOptions())
	r.mountOpen("", path, r.stack.Open(handler))
}

// notReady returns why the server cannot work now, or an empty string. Only the
// log has the cause.
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

// remark returns what people who look at a server that can work should know, or empty.
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
	resp, err := known.Check(ctx, req)
	if err != nil {
		return nil, err
	}
	if h.server.notReady(ctx) != "" {
		resp.Status = grpchealth.StatusNotServing
	}
	return resp, nil
}
