package oauthclient

import (
	"context"

	"github.com/google/uuid"

	"clientsd/ent"
	"clientsd/ent/clientevent"
	"clientsd/ent/clientlogo"
)

// UpdateInput says what to change: nil leaves a field as it is. A pointer to an
// empty list clears it; a pointer to "" clears a field that may be absent.
type UpdateInput struct {
	Name, RedirectURI                 *string
	WebsiteURL, Description           *string
	RefreshToken, Implicit            *bool
	DeviceCode, Code                  *bool
	Bindings                          *[]Binding
	AllowedDelegators                 *[]string
	RemoveLogo                        bool
	KeepLogo                          *Logo   // must be the logo it has; see Update
	BackchannelLogoutURI              *string // "" clears it
	BackchannelLogoutSessionRequired  *bool
	FrontchannelLogoutURI             *string // "" clears it
	FrontchannelLogoutSessionRequired *bool
	PostLogoutRedirectURIs            *[]string
	Verified                          *bool // ignored unless the caller is an admin
}

// Update changes a client. An input that changes nothing returns the client as
// it is: no new revision, no event.
//
// Errors: ErrNotFound; Invalid naming each field that breaks a rule, also a logo
// URL that is not the one the client has.
func (s *Store) Update(ctx context.Context, caller Caller, id uuid.UUID, in UpdateInput) (Record, error) {
	if !caller.Admin {
		in.Verified = nil
	}
	if err := in.validate(); err != nil {
		return Record{}, err
	}
	record := Record{}
	err := s.inTx(ctx, "update client", func(ctx context.Context, tx *unit) (err error) {
		record.Client, err = s.change(ctx, tx, caller, id, in)
		return err
	})
	if err != nil {
		return Record{}, err
	}
	return record, nil
}

// change runs the body of Update. It updates first, which locks the row for the rest
// of the transaction, and then reads the result.
func (s *Store) change(ctx context.Context, tx *unit, caller Caller, id uuid.UUID, in UpdateInput) (*Client, error) {
	update := tx.OAuthClient.Update().Where(visible(caller, id))
	in.apply(update)
	changes := len(update.Mutation().Fields())+len(update.Mutation().ClearedFields()) > 0
	if changes {
		if err := update.AddRevision(1).SetUpdatedAt(s.now()).Exec(ctx); err != nil {
			return nil, err
		}
	}
	row, err := tx.OAuthClient.Query().Where(visible(caller, id)).Only(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.checkLogo(row); err != nil || !changes {
		return row, err
	}
	if in.RemoveLogo {
		if _, err := tx.ClientLogo.Delete().Where(clientlogo.ClientID(id)).Exec(ctx); err != nil {
			return nil, err
		}
	}
	return row, s.record(ctx, tx, caller, row, event{kind: clientevent.KindUpdated})
}

func (in UpdateInput) validate() error {
	var v violations
	if in.Name != nil {
		v.text("name", *in.Name)
	}
	if in.Description != nil {
		v.text("description", *in.Description)
	}
	if in.RedirectURI != nil {
		v.redirectURI("redirect_uri", *in.RedirectURI)
	}
	if in.WebsiteURL != nil {
		v.websiteURL("website_url", *in.WebsiteURL)
	}
	if in.BackchannelLogoutURI != nil {
		v.logoutURI("backchannel_logout_uri", *in.BackchannelLogoutURI)
	}
	if in.FrontchannelLogoutURI != nil {
		v.logoutURI("frontchannel_logout_uri", *in.FrontchannelLogoutURI)
	}
	if in.PostLogoutRedirectURIs != nil {
		v.redirectURIs("post_logout_redirect_uris", *in.PostLogoutRedirectURIs)
	}
	if in.Bindings != nil {
		v.bindings("application_bindings", *in.Bindings)
	}
	return NewInvalid(v...)
}

// apply sets on the statement only what the input changes.
func (in UpdateInput) apply(u *ent.OAuthClientUpdate) {
	in.applyText(u)
	in.applyFlags(u)
	in.applyLists(u)
	if in.RemoveLogo {
		u.ClearLogoHash()
	}
}

func (in UpdateInput) applyText(u *ent.OAuthClientUpdate) {
	u.SetNillableName(in.Name).
		SetNillableRedirectURI(in.RedirectURI).
		SetNillableWebsiteURL(in.WebsiteURL).
		SetNillableDescription(in.Description)
	setOrClear(in.BackchannelLogoutURI, u.SetBackchannelLogoutURI, u.ClearBackchannelLogoutURI)
	setOrClear(in.FrontchannelLogoutURI, u.SetFrontchannelLogoutURI, u.ClearFrontchannelLogoutURI)
}

func (in UpdateInput) applyFlags(u *ent.OAuthClientUpdate) {
	u.SetNillableSupportsRefreshToken(in.RefreshToken).
		SetNillableSupportsImplicitGrant(in.Implicit).
		SetNillableSupportsDeviceCodeGrant(in.DeviceCode).
		SetNillableSupportsCodeGrant(in.Code).
		SetNillableBackchannelLogoutSessionRequired(in.BackchannelLogoutSessionRequired).
		SetNillableFrontchannelLogoutSessionRequired(in.FrontchannelLogoutSessionRequired).
		SetNillableIsVerified(in.Verified)
}

func (in UpdateInput) applyLists(u *ent.OAuthClientUpdate) {
	if in.Bindings != nil {
		u.SetApplicationBindings(emptyIsList(*in.Bindings))
	}
	if in.AllowedDelegators != nil {
		u.SetAllowedDelegators(emptyIsList(*in.AllowedDelegators))
	}
	if in.PostLogoutRedirectURIs != nil {
		u.SetPostLogoutRedirectUris(emptyIsList(*in.PostLogoutRedirectURIs))
	}
}

// checkLogo refuses a logo that is not the one the client has. A logo is set by an
// upload only: the service never shows or fetches a foreign URL.
func (in UpdateInput) checkLogo(row *Client) error {
	if in.KeepLogo == nil {
		return nil
	}
	if row.LogoHash != nil && *in.KeepLogo == (Logo{ClientID: row.ID, Hash: *row.LogoHash}) {
		return nil
	}
	return NewInvalid(Violation{
		Field:   "logo_url",
		Rule:    "logo_url.current",
		Message: "must be empty, which removes the logo, or the URL the logo has; UploadClientLogo sets one",
	})
}

// setOrClear changes a text that may be absent.
func setOrClear[U any](text *string, set func(string) U, unset func() U) {
	switch {
	case text == nil:
	case *text == "":
		unset()
	default:
		set(*text)
	}
}
