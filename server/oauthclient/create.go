package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
)

// CreateInput describes the client to register. Strings may not be empty
// unless the field says so; their lengths are checked before they come here. The
// names in the tags are part of the fingerprint of a call: see idempotentCall.
type CreateInput struct {
	// Confidential gives the client a secret.
	Confidential                      bool      `json:"confidential,omitzero"`
	Name                              string    `json:"name,omitzero"`
	RedirectURI                       string    `json:"redirect_uri,omitzero"`
	WebsiteURL                        string    `json:"website_url,omitzero"`
	Description                       string    `json:"description,omitzero"`
	RefreshToken                      bool      `json:"refresh_token,omitzero"`
	Implicit                          bool      `json:"implicit,omitzero"`
	DeviceCode                        bool      `json:"device_code,omitzero"`
	Code                              bool      `json:"code,omitzero"`
	ManagedBuckets                    bool      `json:"managed_buckets,omitzero"` // confidential clients only
	ApplicationID                     string    `json:"application_id,omitzero"`  // empty: no application owns it
	Bindings                          []Binding `json:"bindings,omitempty"`
	AllowedDelegators                 []string  `json:"allowed_delegators,omitempty"`
	BackchannelLogoutURI              string    `json:"backchannel_logout_uri,omitzero"` // empty: none
	BackchannelLogoutSessionRequired  bool      `json:"backchannel_logout_session_required,omitzero"`
	FrontchannelLogoutURI             string    `json:"frontchannel_logout_uri,omitzero"` // empty: none
	FrontchannelLogoutSessionRequired bool      `json:"frontchannel_logout_session_required,omitzero"`
	PostLogoutRedirectURIs            []string  `json:"post_logout_redirect_uris,omitempty"`
	Verified                          bool      `json:"verified,omitzero"` // ignored unless the caller is an admin
	// Key makes a repeated call return the result of the first. Empty: each call
	// registers a client.
	Key IdempotencyKey `json:"-"`
}

// Create registers a client in the caller's organisation. The record carries
// the secret of a confidential client, and its event says so.
//
// Errors: Invalid naming each field that breaks a rule; Exhausted with the reason
// CLIENT_LIMIT_REACHED; for a key also ErrKeyMismatch, ErrSuperseded and ErrKeyInUse.
func (s *Store) Create(ctx context.Context, caller Caller, in CreateInput) (Record, error) {
	if err := in.validate(); err != nil {
		return Record{}, err
	}
	id := uuid.New()
	generated := newSecret{}
	if in.Confidential {
		var err error
		if generated, err = s.generateSecret(ctx, id); err != nil {
			return Record{}, err
		}
	}
	record := Record{}
	err := s.inTx(ctx, "create client", func(ctx context.Context, tx *unit) (err error) {
		call := idempotentCall{key: in.Key, method: "create", input: in, includeSecret: true}
		record, err = s.idempotent(ctx, tx, caller, call, func() (Record, error) { return s.create(ctx, tx, id, caller, in, generated) })
		return err
	})
	if err != nil {
		return Record{}, in.Key.withRetryAdvice(err)
	}
	return record, nil
}

// create runs the body of Create's transaction.
func (s *Store) create(ctx context.Context, tx *unit, id uuid.UUID, caller Caller, in CreateInput, generated newSecret) (Record, error) {
	if err := s.checkRoom(ctx, tx, caller.Organisation); err != nil {
		return Record{}, err
	}
	row, err := s.insert(tx, id, caller, in, generated).Save(ctx)
	if err != nil {
		return Record{}, err
	}
	return Record{Client: row, Secret: generated.plain},
		s.record(ctx, tx, caller, row, event{kind: clientevent.KindCreated, released: in.Confidential, issued: generated.lookup})
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

// insert builds the row. What is absent stays null.
func (s *Store) insert(tx *unit, id uuid.UUID, caller Caller, in CreateInput, generated newSecret) *ent.OAuthClientCreate {
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
		row.SetSecretDigest(generated.digest).SetSecretSealed(generated.sealed).SetSecretVersion(1).SetSecretCreatedAt(now)
	}
	return row
}

// emptyIsNull returns how an absent text is stored.
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
