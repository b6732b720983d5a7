package contract_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/servertest"
)

// wantImage fetches a logo and fails the test unless it is a PNG of this colour.
func wantImage(t *testing.T, s *servertest.Server, location string, want color.Color) {
	t.Helper()
	path, ours := strings.CutPrefix(location, s.URL+"/logos/")
	response, data := s.Get(t, "/logos/"+path)
	if !ours || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", location, response.Status)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds().Size() != image.Pt(16, 16) {
		t.Fatalf("got an image of %v, error %v", img, err)
	}
	r, g, b, _ := img.At(8, 8).RGBA()
	wr, wg, wb, _ := want.RGBA()
	if max(distance(r, wr), distance(g, wg), distance(b, wb)) > 0x400 { // JPEG and WebP lose a little
		t.Errorf("the image has the colour %v, want %v", img.At(8, 8), want)
	}
}

func distance(a, b uint32) uint32 { return max(a, b) - min(a, b) }

func TestLogoURL_ServesAnImmutableImage(t *testing.T) {
	s := servertest.Start(t)
	path := strings.TrimPrefix(s.UploadLogo(t, s.Create(t, servertest.Request()).GetClientId()), s.URL)
	response, data := s.Get(t, path)
	want := http.Header{
		"Content-Type":                 {"image/png"},
		"Cache-Control":                {"public, max-age=31536000, immutable"},
		"Content-Security-Policy":      {"default-src 'none'; sandbox"},
		"Cross-Origin-Resource-Policy": {"cross-origin"},
		"X-Content-Type-Options":       {"nosniff"},
		"Set-Cookie":                   nil,
	}
	for name, values := range want {
		if diff := cmp.Diff(values, response.Header.Values(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	etag := response.Header.Get("Etag")
	if !strings.Contains(path, strings.Trim(etag, `"`)) || len(etag) != 34 {
		t.Errorf("got ETag %s for %s", etag, path)
	}

	again, body := s.Get(t, path, "If-None-Match", etag)
	if again.StatusCode != http.StatusNotModified || len(body) != 0 || again.Header.Get("Cache-Control") != want.Get("Cache-Control") {
		t.Errorf("with its ETag: got %s, %d bytes, Cache-Control %q", again.Status, len(body), again.Header.Get("Cache-Control"))
	}
	if other, body := s.Get(t, path, "If-None-Match", `"x"`); other.StatusCode != http.StatusOK || !bytes.Equal(body, data) {
		t.Errorf("with another ETag: got %s", other.Status)
	}
}

func TestLogoURL_NamesTheEncodedImage(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	first := s.UploadLogo(t, id)
	withText := slices.Concat(servertest.PNG(t, 16, 16, servertest.Red), []byte("<script>alert(1)</script>"))
	answer, err := s.ClientsService(t).UploadClientLogo(t.Context(),
		&apiv1.UploadClientLogoRequest{ClientId: id, LogoData: withText, ContentType: "image/png"})
	if err != nil || answer.GetLogoUrl() != first {
		t.Errorf("the same pixels with something behind them: got %q, error %v, want %q", answer.GetLogoUrl(), err, first)
	}
	if _, body := s.Get(t, strings.TrimPrefix(first, s.URL)); bytes.Contains(body, []byte("script")) {
		t.Error("what was behind the image is served")
	}
}

func TestLogoURL_ReplacedLogo(t *testing.T) {
	s := servertest.Start(t)
	id := s.Create(t, servertest.Request()).GetClientId()
	first := s.UploadLogo(t, id)
	answer, err := s.ClientsService(t).UploadClientLogo(t.Context(),
		&apiv1.UploadClientLogoRequest{ClientId: id, LogoData: servertest.PNG(t, 16, 16, blue), ContentType: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	wantImage(t, s, answer.GetLogoUrl(), blue)
	response, _ := s.Get(t, strings.TrimPrefix(first, s.URL))
	if response.StatusCode != http.StatusNotFound || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the old URL answers %s with Cache-Control %q", response.Status, response.Header.Get("Cache-Control"))
	}
	s.WantEvents(t, id, "created 1 released", "logo_uploaded 1", "logo_uploaded 1")
}

func TestLogoURL_NotFound(t *testing.T) {
	s := servertest.Start(t)
	path := strings.TrimPrefix(s.UploadLogo(t, s.Create(t, servertest.Request()).GetClientId()), s.URL)
	other := s.Create(t, servertest.Request()).GetClientId()
	folder, file, _ := strings.Cut(strings.TrimPrefix(path, "/logos/"), "/")
	for name, path := range map[string]string{
		"another client":              "/logos/" + other + "/" + file,
		"no client":                   "/logos/" + uuid.NewString() + "/" + file,
		"an id that is none":          "/logos/x/" + file,
		"another image":               "/logos/" + folder + "/" + strings.Repeat("0", 32) + ".png",
		"no suffix":                   strings.TrimSuffix(path, ".png"),
		"another suffix":              strings.TrimSuffix(path, ".png") + ".svg",
		"the folder":                  "/logos/" + folder + "/",
		"all logos":                   "/logos/",
		"a way up and down the path":  "/logos/" + folder + "/..%2f" + folder + "%2f" + file,
		"a client without any logo":   "/logos/" + other + "/.png",
		"a name that matches nothing": "/logos/" + folder + "/%25.png",
	} {
		t.Run(name, func(t *testing.T) {
			if response, _ := s.Get(t, path); response.StatusCode != http.StatusNotFound {
				t.Errorf("got %s, want 404", response.Status)
			}
		})
	}
}
