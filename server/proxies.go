package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"clientsd/server/reqctx"
)

// headerName matches the name of a header (RFC 9110 section 5.1).
var headerName = regexp.MustCompile("^[0-9A-Za-z!#$%&'*+.^_`|~-]+$")

// proxies returns the proxies whose word about the address of a caller counts.
func (c Config) proxies() (reqctx.Proxies, error) {
	found := reqctx.Proxies{Header: cmp.Or(c.TrustedProxyHeader, "X-Forwarded-For")}
	switch {
	case c.TrustedProxyHeader != "" && len(c.TrustedProxies) == 0:
		return found, errors.New("--trusted-proxy-header: no --trusted-proxy is given, so nobody's header counts")
	case strings.EqualFold(found.Header, "Forwarded"):
		return found, errors.New("--trusted-proxy-header Forwarded: is not understood; let the proxy send X-Forwarded-For")
	case !headerName.MatchString(found.Header):
		return found, fmt.Errorf("--trusted-proxy-header %q: must be the name of a header such as X-Forwarded-For", found.Header)
	}
	for _, text := range c.TrustedProxies {
		network, err := parseNetwork(text)
		if err != nil {
			return found, err
		}
		found.Trusted = append(found.Trusted, network)
	}
	return found, nil
}

// parseNetwork reads a network, or an address alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil || network.Addr().Is4In6():
		return network, fmt.Errorf("--trusted-proxy %q: must be a network such as 10.0.0.0/8, or an address", text)
	case network.Bits() == 0:
		return network, fmt.Errorf("--trusted-proxy %s: would let every caller choose the address it comes from", text)
	default:
		return network, nil
	}
}

func (c Config) validateProxies() error {
	_, err := c.proxies()
	return err
}
