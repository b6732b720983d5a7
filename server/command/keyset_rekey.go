package command

import (
	"fmt"

	"github.com/schollz/progressbar/v3"

	"clientsd/server/reencrypt"
	"clientsd/server/storage"
)

// KeysetRekey seals everything again with the primary key.
type KeysetRekey struct{ dataFlags }

// Run seals every row that opens. It fails afterwards if a secret does not open with
// any key.
func (c KeysetRekey) Run(env *Environment) error {
	return c.withStorage(env, func(s *storage.Storage) error {
		total, err := s.DB.Read.OAuthClient.Query().Count(env.Context)
		if err != nil {
			return fmt.Errorf("count clients: %w", err)
		}
		if err := waitForReaders(env, s.Keyset); err != nil {
			return err
		}
		bar := newBar(env, total)
		progress := func(clients int) { _ = bar.Add(clients) } // a failing bar does no harm
		result, err := reencrypt.Run(env.Context, s.DB.Read, s.DB.Transact, s.Keyset, progress)
		_, _ = fmt.Fprintln(env.Stderr) // ends the line of the bar
		if err != nil {
			return err
		}
		if len(result.Damaged) > 0 {
			return fmt.Errorf("%d secrets do not open with any key, rotate these clients: %v", len(result.Damaged), result.Damaged)
		}
		_, err = fmt.Fprintf(env.Stdout, "%d rows sealed again; everything is sealed with key %d\n", result.Resealed, s.Keyset.Primary())
		return err
	})
}

func newBar(env *Environment, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(env.Stderr),
		progressbar.OptionSetDescription("sealing"),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true))
}
