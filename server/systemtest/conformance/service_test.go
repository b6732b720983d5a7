package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	conformancev1 "example.com/conformance/gen/connectrpc/conformance/v1"
	"example.com/conformance/gen/connectrpc/conformance/v1/conformancev1connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// service is what the suite calls. It answers what a request asks it to, and
// reports how the request arrived. The embedded handler answers Unimplemented.
type service struct {
	conformancev1connect.UnimplementedConformanceServiceHandler
}

// Unary answers as the request says.
func (service) Unary(ctx context.Context, req *conformancev1.UnaryRequest) (*conformancev1.UnaryResponse, error) {
	payload, err := answer(ctx, req, req.GetResponseDefinition())
	return &conformancev1.UnaryResponse{Payload: payload}, err
}

// IdempotentUnary answers as the request says, which may be a GET.
func (service) IdempotentUnary(ctx context.Context, req *conformancev1.IdempotentUnaryRequest) (*conformancev1.IdempotentUnaryResponse, error) {
	payload, err := answer(ctx, req, req.GetResponseDefinition())
	return &conformancev1.IdempotentUnaryResponse{Payload: payload}, err
}

func answer(ctx context.Context, req proto.Message, want *conformancev1.UnaryResponseDefinition) (*conformancev1.ConformancePayload, error) {
	call, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok {
		return nil, errors.New("there is no call in the context")
	}
	info, err := describe(ctx, call, req)
	if err != nil {
		return nil, err
	}
	add(call.ResponseHeader(), want.GetResponseHeaders())
	add(call.ResponseTrailer(), want.GetResponseTrailers())
	time.Sleep(time.Duration(want.GetResponseDelayMs()) * time.Millisecond)
	if want.GetError() != nil {
		return nil, failure(want.GetError(), info)
	}
	return &conformancev1.ConformancePayload{Data: want.GetResponseData(), RequestInfo: info}, nil
}

// describe reports how a request arrived.
func describe(ctx context.Context, call connect.CallInfo, req proto.Message) (*conformancev1.ConformancePayload_RequestInfo, error) {
	message, err := anypb.New(req)
	if err != nil {
		return nil, err
	}
	info := &conformancev1.ConformancePayload_RequestInfo{
		RequestHeaders: list(call.RequestHeader()),
		Requests:       []*anypb.Any{message},
	}
	if deadline, ok := ctx.Deadline(); ok && hasTimeout(call.RequestHeader()) {
		info.TimeoutMs = proto.Int64(time.Until(deadline).Milliseconds())
	}
	if query := call.Peer().Query; len(query) > 0 {
		info.ConnectGetInfo = &conformancev1.ConformancePayload_ConnectGetInfo{QueryParams: list(query)}
	}
	return info, nil
}

// hasTimeout reports whether the caller set a deadline. The server sets one for all
// others.
func hasTimeout(header http.Header) bool {
	return header.Get("Connect-Timeout-Ms") != "" || header.Get("Grpc-Timeout") != ""
}

// failure is the error that the request asks for, with one more detail: how the
// request arrived.
func failure(want *conformancev1.Error, info proto.Message) error {
	err := connect.NewError(connect.Code(want.GetCode()), errors.New(want.GetMessage()))
	arrival, anyErr := anypb.New(info)
	if anyErr != nil {
		return anyErr
	}
	for _, message := range append(slices.Clone(want.GetDetails()), arrival) {
		detail, detailErr := connect.NewErrorDetail(message)
		if detailErr != nil {
			return detailErr
		}
		err.AddDetail(detail)
	}
	return err
}

func list(values map[string][]string) (all []*conformancev1.Header) {
	for name, value := range values {
		all = append(all, &conformancev1.Header{Name: name, Value: value})
	}
	return all
}

func add(to http.Header, headers []*conformancev1.Header) {
	for _, header := range headers {
		for _, value := range header.GetValue() {
			to.Add(header.GetName(), value)
		}
	}
}
