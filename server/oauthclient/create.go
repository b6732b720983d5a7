package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
)

// CreateInput describes the client to register. Strings may not be empty
// unless the field says so; their lengths are checked before they come here.
type CreateInput struct {
	// Confidential gives the client a secret.
	Confidential                      bool
	Name, RedirectURI                 string
	WebsiteURL, Description           string
	RefreshToken, Implicit            bool
	DeviceCode, Code                  bool
	ManagedBuckets                    bool   // confidential clients only
	ApplicationID                     string // empty: no application owns it
	Bindings                          []Binding
	AllowedDelegators                 []string
	BackchannelLogoutURI              string // empty: none
	BackchannelLogoutSessionRequired  bool
	FrontchannelLogoutURI             string // empty: none
	FrontchannelLogoutSessionRequired bool
	PostLogoutRedirectURIs            []string
	Verified                          bool // ignored unless the caller is an admin
	// Key makes a repeated call give the result of the first. Empty: each call
	// registers a client.
	Key IdempotencyKey `json:"-"`
}

// Create registers a client in the caller's organisation. The record carries
// the secret of a confidential client, and its event says so.
//
// Errors: Invalid naming each field that breaks a rule; for a key also
// ErrKeyMismatch, ErrSuperseded and ErrKeyInUse.
func (s *Store) Create(ctx context.Context, caller Caller, in CreateInput) (Record, error) {
	if err := in.validate(); err != nil {
		return Record{}, err
	}
	id := uuid.New()
	made := issued{}
	if in.Confidential {
		var err error
		if made, err = s.newSecret(id); err != nil {
			return Record{}, err
		}
	}
	record := Record{}
	err := s.inTx(ctx, "create client", func(tx *ent.Tx) (err error) {
		record, err = s.once(ctx, tx, caller, attempt{key: in.Key, method: "create", input: in, release: true},
			func() (Record, error) { return s.create(ctx, tx, id, caller, in, made) })
		return err
	})
	if err != nil {
		return Record{}, in.Key.withRetryAdvice(err)
	}
	return record, nil
}

// create is the body of Create's transaction.
func (s *Store) create(ctx context.Context, tx *ent.Tx, id uuid.UUID, caller Caller, in CreateInput, made issued) (Record, error) {
	row, err := s.insert(tx, id, caller, in, made).Save(ctx)
	if err != nil {
		return Record{}, err
	}
	return Record{Client: row, Secret: made.plain},
		s.record(ctx, tx, caller, row, event{kind: clientevent.KindCreated, released: in.Confidential})
}

func (in CreateInput) validate() error {
	var v violations
	v.text("name", in.Name)
	v.text("description", in.Description)
	v.text("application_id", in.ApplicationID)
	v.redirectURI("redirect_uri", in.RedirectURI)
	v.websiteURL("website_url", in.WebsiteURL)
	v.logoutURI("backchannel_logout_uri", in.BackchannelLogoutURI)
	v.logoutURI("frontchannel_logout_uri", in.FrontchannelLogoutURI)
	v.redirectURIs("post_logout_redirect_uris", in.PostLogoutRedirectURIs)
	v.bindings("application_bindings", in.Bindings)
	if in.ManagedBuckets && !in.Confidential {
		v.add("uses_managed_buckets", "confidential_only", "only a confidential client may use managed buckets: set has_secret too")
	}
	return NewInvalid(v...)
}

// insert builds the row; what is absent stays null.
func (s *Store) insert(tx *ent.Tx, id uuid.UUID, caller Caller, in CreateInput, made issued) *ent.OAuthClientCreate {
	now := s.now()
	row := tx.OAuthClient.Create().
		SetID(id).
		SetOrganisation(caller.Organisation).
		SetCreatedAt(now).
		SetUpdatedAt(now).
		SetName(in.Name).
		SetRedirectURI(in.RedirectURI).
		SetWebsiteURL(in.WebsiteURL).
		SetDescription(in.Description).
		SetSupportsRefreshToken(in.RefreshToken).
		SetSupportsImplicitGrant(in.Implicit).
		SetSupportsDeviceCodeGrant(in.DeviceCode).
		SetSupportsCodeGrant(in.Code).
		SetUsesManagedBuckets(in.ManagedBuckets).
		SetNillableApplicationID(emptyIsNull(in.ApplicationID)).
		SetApplicationBindings(emptyIsList(in.Bindings)).
		SetAllowedDelegators(emptyIsList(in.AllowedDelegators)).
		SetNillableBackchannelLogoutURI(emptyIsNull(in.BackchannelLogoutURI)).
		SetBackchannelLogoutSessionRequired(in.BackchannelLogoutSessionRequired).
		SetNillableFrontchannelLogoutURI(emptyIsNull(in.FrontchannelLogoutURI)).
		SetFrontchannelLogoutSessionRequired(in.FrontchannelLogoutSessionRequired).
		SetPostLogoutRedirectUris(emptyIsList(in.PostLogoutRedirectURIs)).
		SetIsVerified(in.Verified && caller.Admin).
		SetHasSecret(in.Confidential)
	if in.Confidential {
		row.SetSecretDigest(made.digest).SetSecretSealed(made.sealed).SetSecretVersion(1).SetSecretCreatedAt(now)
	}
	return row
}

// emptyIsNull is how an absent text is stored.
func emptyIsNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// emptyIsList keeps the JSON columns lists: an absent one is [], not null.
func emptyIsList[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
