package binary_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"clientsd/server/secret"
	"clientsd/server/servertest"
)

// signal sends a signal to the process.
func (p *process) signal(t *testing.T, sent os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sent); err != nil {
		t.Fatal(err)
	}
}

func (p *process) wantEnd(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
}

func TestServe_SIGHUPReadsTheCertificate(t *testing.T) {
	cert := servertest.NewCertificate(t, year, 60*day)
	p := startProcess(t, t.TempDir(), "--tls-cert", cert.CertFile, "--tls-key", cert.KeyFile)
	const read = `"msg":"the certificate was read again"`
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, read, 1) // although nothing has changed
	renewed := cert.Renew(t, year, 90*day)
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, read, 2)
	host := strings.TrimPrefix(p.URL, "https://")
	if got := servertest.Shown(t, host); !got.Equal(renewed) {
		t.Errorf("got the certificate until %v, want the one until %v", got.NotAfter, renewed.NotAfter)
	}
	if err := os.Remove(cert.CertFile); err != nil {
		t.Fatal(err)
	}
	const complaint = `"level":"ERROR","msg":"cannot read the certificate again; the old one is still used","error":"--tls-cert: open `
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, complaint, 1)
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, complaint, 2)
	if got := servertest.Shown(t, host); !got.Equal(renewed) {
		t.Errorf("without the file: got the certificate until %v", got.NotAfter)
	}
	p.wantEnd(t)
}

func TestServe_SIGHUPReadsTheKeyset(t *testing.T) {
	dir := t.TempDir()
	keyset := filepath.Join(dir, "keyset.json")
	p := startProcess(t, dir)
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, `"msg":"the keyset was read again"`, 1) // although nothing has changed
	do(t, "keyset", "rotate", "--data-dir", dir)
	rotated, err := secret.ReadKeyset(keyset)
	if err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, fmt.Sprintf(`"msg":"the keyset was read again","file":%q,"keys":2,"primary":%d`, keyset, rotated.Primary()), 1)
	if err := os.WriteFile(keyset, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	p.waitForLog(t, `"level":"ERROR","msg":"the keyset needs an operator"`, 1)
	p.register(t) // with the keys from before
	p.wantEnd(t)
}

func TestDemo_SIGHUP(t *testing.T) {
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "demo")
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+home)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "The service runs until Ctrl-C.") {
			break
		}
	}
	go io.Copy(io.Discard, stdout) //nolint:errcheck // ends with the process
	p := &process{cmd: cmd}
	p.signal(t, syscall.SIGHUP)
	p.wantEnd(t)
	if left, err := filepath.Glob(filepath.Join(home, "*")); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %v, error %v", left, err)
	}
}
