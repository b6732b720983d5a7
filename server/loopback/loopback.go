// Package loopback knows which hosts are this machine. It must not look up a name.
package loopback

import (
	"net/netip"
	"strings"
)

// Is reports whether host is localhost or a loopback address, spelt as such.
func Is(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
