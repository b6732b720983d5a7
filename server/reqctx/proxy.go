package reqctx

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies says whose word counts about where a request came from. The zero value
// trusts nobody: a request comes from the other end of its connection.
type Proxies struct {
	// Trusted are the networks that proxies call from.
	Trusted []netip.Prefix
	// Header is the list of addresses to which each proxy adds the one that called
	// it, as the last, such as X-Forwarded-For.
	Header string
}

// address returns where a request came from: the right-most address that is not a
// trusted proxy's. Everything to the left of it is the caller's to invent. An entry
// that is no address ends the search.
func (p Proxies) address(r *http.Request) string {
	address, ok := parseHop(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values(p.Header), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trusts(address); i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		address = hop
	}
	return address.String()
}

func (p Proxies) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(p.Trusted, func(network netip.Prefix) bool { return network.Contains(address) })
}

// parseHop reads an address, with or without a port.
func parseHop(text string) (netip.Addr, bool) {
	withPort, err := netip.ParseAddrPort(text)
	address := withPort.Addr()
	if err != nil {
		address, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	}
	return address.Unmap().WithZone(""), err == nil
}
