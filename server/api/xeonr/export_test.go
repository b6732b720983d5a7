package xeonr

import "context"

// TakeListPlace waits for the place of an organisation to put a large list together,
// and returns the function that gives it back.
func (s *Service) TakeListPlace(ctx context.Context, organisation string) (end func(), err error) {
	return s.lists.Take(ctx, organisation)
}

// TakePublicPlace is TakeListPlace for callers without a token.
func (s *Service) TakePublicPlace(ctx context.Context) (end func(), err error) {
	return s.public.Take(ctx, "")
}
