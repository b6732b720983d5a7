package contract_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/issuer"
	"clientsd/server/servertest"
)

func TestUploadClientLogo_EveryTypeOverEveryProtocol(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	types := map[string][]byte{
		"image/png": servertest.PNG(t, 16, 16, servertest.Red), "image/jpeg": servertest.JPEG(t, 16, 16, servertest.Red),
		"image/gif": servertest.GIF(t, 16, 16, servertest.Red), "image/webp": webP(t),
	}
	for _, protocol := range servertest.Protocols() {
		for contentType, data := range types {
			t.Run(protocol.Name+", "+contentType, func(t *testing.T) {
				id := s.Create(t, servertest.PublicRequest()).GetClientId()
				clients := s.Clients(protocol, token)
				answer, err := clients.UploadClientLogo(t.Context(),
					&apiv1.UploadClientLogoRequest{ClientId: id, LogoData: data, ContentType: contentType})
				if err != nil {
					t.Fatal(err)
				}
				read, err := clients.GetClient(t.Context(), &apiv1.GetClientRequest{ClientId: id})
				if err != nil || read.GetClient().GetLogoUrl() != answer.GetLogoUrl() {
					t.Errorf("the record says %q, the upload %q, error %v", read.GetClient().GetLogoUrl(), answer.GetLogoUrl(), err)
				}
				wantImage(t, s, answer.GetLogoUrl(), servertest.Red)
				s.WantEvents(t, id, "created 0", "logo_uploaded 0")
			})
		}
	}
}

func TestUploadClientLogo_NotALogo(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	before := s.Row(t, id)
	large := slices.Concat(servertest.PNG(t, 16, 16, servertest.Red), make([]byte, 2<<20))
	for name, tt := range map[string]struct {
		request *apiv1.UploadClientLogoRequest
		message string
		field   string
	}{
		"no data": {
			&apiv1.UploadClientLogoRequest{ContentType: "image/png"},
			"validation error: logoData: must be at least 1 bytes", "logo_data",
		},
		"no type": {
			&apiv1.UploadClientLogoRequest{LogoData: servertest.PNG(t, 1, 1, servertest.Red)},
			"validation error: contentType: must be in list [image/png, image/jpeg, image/webp, image/gif]", "content_type",
		},
		"a type that may run": {
			&apiv1.UploadClientLogoRequest{LogoData: []byte("<svg/>"), ContentType: "image/svg+xml"},
			"validation error: contentType: must be in list [image/png, image/jpeg, image/webp, image/gif]", "content_type",
		},
		"another type than the data has": {
			&apiv1.UploadClientLogoRequest{LogoData: servertest.PNG(t, 1, 1, servertest.Red), ContentType: "image/gif"},
			"validation error: contentType: must be the type of logoData, which is image/png", "content_type",
		},
		"data that is no image": {
			&apiv1.UploadClientLogoRequest{LogoData: []byte("<svg/>"), ContentType: "image/png"},
			"validation error: logoData: must be of the type contentType names, image/png", "logo_data",
		},
		"an image that is too wide": {
			&apiv1.UploadClientLogoRequest{LogoData: servertest.PNG(t, 513, 1, servertest.Red), ContentType: "image/png"},
			"validation error: logoData: must be 1 to 512 pixels wide and high, is 513×1", "logo_data",
		},
		"an image that is too high": {
			&apiv1.UploadClientLogoRequest{LogoData: servertest.GIF(t, 512, 513, servertest.Red), ContentType: "image/gif"},
			"validation error: logoData: must be 1 to 512 pixels wide and high, is 512×513", "logo_data",
		},
		"an image that is cut short": {
			&apiv1.UploadClientLogoRequest{LogoData: servertest.JPEG(t, 16, 16, servertest.Red)[:200], ContentType: "image/jpeg"},
			"validation error: logoData: must be a complete, undamaged image/jpeg file", "logo_data",
		},
		"one byte more than 2 MiB": {
			&apiv1.UploadClientLogoRequest{LogoData: large[:2<<20+1], ContentType: "image/png"},
			"validation error: logoData: must be at most 2097152 bytes", "logo_data",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.request.ClientId = id
			_, err := s.ClientsService(t).UploadClientLogo(t.Context(), tt.request)
			servertest.WantError(t, err, connect.CodeInvalidArgument, tt.message)
			servertest.WantViolations(t, err, tt.field)
		})
	}
	servertest.WantSameRow(t, before, s.Row(t, id))

	_, err := s.ClientsService(t).UploadClientLogo(t.Context(),
		&apiv1.UploadClientLogoRequest{ClientId: id, LogoData: large[:2<<20], ContentType: "image/png"})
	if err != nil {
		t.Errorf("exactly 2 MiB: %v", err)
	}
}

func TestUploadClientLogo_TooLarge(t *testing.T) {
	s := servertest.Start(t)
	token := s.Token(t, servertest.All...)
	id := s.Create(t, servertest.Request()).GetClientId()
	for _, protocol := range servertest.Protocols() {
		t.Run(protocol.Name, func(t *testing.T) {
			_, err := s.Clients(protocol, token).UploadClientLogo(t.Context(),
				&apiv1.UploadClientLogoRequest{ClientId: id, LogoData: make([]byte, 4<<20), ContentType: "image/png"})
			if connect.CodeOf(err) != connect.CodeResourceExhausted {
				t.Errorf("got error %v, want %v", err, connect.CodeResourceExhausted)
			}
		})
	}
}

func TestUploadClientLogo_OtherOrganisation(t *testing.T) {
	s := servertest.Start(t)
	foreign := s.CreateAs(t, s.Mint(t, issuer.Grant{Scopes: servertest.All, Organisation: "acme"}), servertest.Request())
	before := s.Row(t, foreign.GetClientId())
	for name, id := range map[string]string{"a foreign client": foreign.GetClientId(), "no client": uuid.NewString()} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ClientsService(t).UploadClientLogo(t.Context(),
				&apiv1.UploadClientLogoRequest{ClientId: id, LogoData: servertest.PNG(t, 1, 1, servertest.Red), ContentType: "image/png"})
			servertest.WantError(t, err, connect.CodeNotFound, "client not found")
		})
	}
	servertest.WantSameRow(t, before, s.Row(t, foreign.GetClientId()))
}
