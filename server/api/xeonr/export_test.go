package xeonr

import "context"

// TakeListTurn waits for the turn of an organisation to put a large list together, and
// returns the function that ends it.
func (s *Service) TakeListTurn(ctx context.Context, organisation string) (end func(), err error) {
	return s.lists.Take(ctx, organisation)
}
