package telemetry_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.yaml.in/yaml/v3"

	"clientsd/server"
	"clientsd/server/auth/authtest"
	"clientsd/server/servertest"
)

// exposed is what a server that has done a bit of everything shows: the names of
// metrics and of labels.
func exposed(t *testing.T) vocabulary {
	t.Helper()
	before := servertest.Start(t)
	made := before.Create(t, servertest.Request())
	before.Stop(t)
	s := servertest.StartWatched(t, servertest.InDir(before.Dir))
	s.Verify(t, made.GetClientId(), made.GetClientSecret())
	servertest.OverXeonr(t, s.Server, servertest.Attempt{Token: s.Token(t, servertest.All...), ClientID: made.GetClientId()})
	for len(s.Named(t, "clientsd_oldest_secret_age_seconds")) == 0 { // it is looked for in the background
		time.Sleep(time.Millisecond)
	}
	v := vocabulary{map[string]bool{}, map[string]bool{"job": true, "instance": true}} // Prometheus adds these
	if _, url, _ := s.Data(); url != "" {
		v.metrics["clientsd_sqlite_wal_bytes"] = true
	}
	v.add(t, s)
	v.add(t, servertest.StartWatched(t, servertest.NewCertificate(t, time.Hour, time.Hour).Serve, func(c *server.Config) {
		c.Audience, c.Issuers = "clients", []server.TrustedIssuer{{URL: authtest.NewIssuer(t).URL}}
	}))
	return v
}

// add adds what a server shows.
func (v vocabulary) add(t *testing.T, s servertest.Watched) {
	t.Helper()
	for series := range s.Scrape(t) {
		name, rest, _ := strings.Cut(series, "{")
		v.metrics[name] = true
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(rest, -1) {
			v.labels[label[1]] = true
		}
	}
}

// Every value that a label of ours can have, where a query names one.
func values(label string) []string {
	switch label {
	case "api":
		return []string{"xeonr", "clientsd", "zitadel", "vigilo", "none"}
	case "match":
		return []string{"current", "previous", "ended", "none"}
	case "code", "outcome":
		list := []string{"ok"}
		for code := connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
			list = append(list, code.String())
		}
		return list
	default:
		return nil
	}
}

var (
	matchers  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	selectors = regexp.MustCompile(`\{[^{}]*\}|\[[\w$]+\]`)
	groupings = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^()]*)\)`)
	names     = regexp.MustCompile(`\b[a-zA-Z_]\w*\s*\(?`)
	functions = []string{"absent", "changes", "count", "histogram_quantile", "increase", "max", "rate", "sum", "time", "vector"}
	operators = []string{"and", "or", "unless"}
)

// A vocabulary is what a server exposes.
type vocabulary struct{ metrics, labels map[string]bool }

// wrongIn says what is wrong in a query of PromQL: metrics, labels or values that
// there are not, functions that are not listed. It is no parser: it takes away
// from the text, step by step, what it knows.
func (v vocabulary) wrongIn(query string) []string {
	if strings.Count(query, "(") != strings.Count(query, ")") || strings.Count(query, "{") != strings.Count(query, "}") {
		return []string{"brackets"}
	}
	rest := selectors.ReplaceAllString(query, "")
	return slices.Concat(v.wrongMatchers(query), v.wrongGroupings(rest), v.wrongWords(groupings.ReplaceAllString(rest, "")))
}

func (v vocabulary) wrongMatchers(query string) (wrong []string) {
	for _, found := range matchers.FindAllStringSubmatch(query, -1) {
		for value := range strings.SplitSeq(found[2], "|") {
			if known := values(found[1]); !v.labels[found[1]] || known != nil && !slices.Contains(known, value) {
				wrong = append(wrong, found[0])
			}
		}
	}
	return wrong
}

func (v vocabulary) wrongGroupings(query string) (wrong []string) {
	for _, found := range groupings.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(found[1], ",") {
			if !v.labels[strings.TrimSpace(label)] {
				wrong = append(wrong, label)
			}
		}
	}
	return wrong
}

func (v vocabulary) wrongWords(query string) (wrong []string) {
	for _, found := range names.FindAllString(query, -1) {
		word, called := strings.CutSuffix(found, "(")
		word = strings.TrimSpace(word)
		if !slices.Contains(operators, word) && (called && !slices.Contains(functions, word) || !called && !v.metrics[word]) {
			wrong = append(wrong, word)
		}
	}
	return wrong
}

func TestQueries_WrongOneIsNoticed(t *testing.T) {
	v := vocabulary{map[string]bool{"a_total": true, "b": true}, map[string]bool{"code": true, "api": true, "le": true}}
	for query, want := range map[string]string{
		`sum by (api) (rate(a_total{code=~"ok|internal"}[5m])) / 2 > 1e3 and b{api!="none"} or vector(0)`: "",

		`rate(c_total[5m])`:          "c_total",
		`a_total{kode="ok"}`:         `kode="ok"`,
		`a_total{code="okay"}`:       `code="okay"`,
		`a_total{code=~"ok|intern"}`: `code=~"ok|intern"`,
		`sum by (api, lee) (b)`:      " lee",
		`rat(b)`:                     "rat",
		`max (b{api="xeonr"}) > (b)`: "",
		`rate(b`:                     "brackets",
		`b xor b`:                    "xor",
	} {
		if got := strings.Join(v.wrongIn(query), ","); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

// What Grafana needs to load a dashboard.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type, Title string
	Datasource  struct{ Type, UID string }
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ RefID, Expr string }
}

func TestDashboard_Queries(t *testing.T) {
	text, err := os.ReadFile("../../telemetry/grafana/clientsd.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID != "clientsd" || d.Title != "clientsd" || d.SchemaVersion == 0 {
		t.Errorf("got uid %q, title %q, schema %d", d.UID, d.Title, d.SchemaVersion)
	}
	v := exposed(t)
	ids, queries := map[int]bool{}, 0
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("there are two panels %d", p.ID)
		}
		ids[p.ID] = true
		queries += len(p.Targets)
		p.check(t, v)
	}
	if queries < 20 || len(d.Templating.List) != 3 {
		t.Errorf("got %d queries and %d variables", queries, len(d.Templating.List))
	}
}

// check fails the test unless a panel can be drawn.
func (p panel) check(t *testing.T, v vocabulary) {
	t.Helper()
	if p.Title == "" || p.GridPos.W <= 0 || p.GridPos.H <= 0 || p.GridPos.X+p.GridPos.W > 24 {
		t.Errorf("panel %d %q: at %+v, or its title is missing", p.ID, p.Title, p.GridPos)
	}
	if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
		t.Errorf("panel %q has no query or another data source", p.Title)
	}
	for _, target := range p.Targets {
		if wrong := v.wrongIn(target.Expr); len(wrong) > 0 {
			t.Errorf("panel %q: there is no %q in %s", p.Title, wrong, target.Expr)
		}
		if !strings.Contains(target.Expr, `job=~"$job",instance=~"$instance"`) {
			t.Errorf("panel %q does not follow the choice of job and instance: %s", p.Title, target.Expr)
		}
	}
}

// A rule file as Prometheus reads it, which refuses fields it does not know.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []alert
	}
}

type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func TestAlerts_Queries(t *testing.T) {
	text, err := os.ReadFile("../../telemetry/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file ruleFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("got %d groups, or too few alerts in one", len(file.Groups))
	}
	v := exposed(t)
	names := map[string]bool{}
	for _, rule := range file.Groups[0].Rules {
		if wrong := v.wrongIn(rule.Expr); len(wrong) > 0 {
			t.Errorf("%s: there is no %q in %s", rule.Alert, wrong, rule.Expr)
		}
		if names[rule.Alert] || !regexp.MustCompile(`^Clientsd[A-Z]\w+$`).MatchString(rule.Alert) {
			t.Errorf("the name %q is no good, or there twice", rule.Alert)
		}
		names[rule.Alert] = true
		if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("%s: got severity %q", rule.Alert, rule.Labels["severity"])
		}
		if rule.For != "" && !regexp.MustCompile(`^\d+[smhd]$`).MatchString(rule.For) {
			t.Errorf("%s: %q is no time", rule.Alert, rule.For)
		}
		for _, annotation := range []string{"summary", "description"} {
			if !strings.HasSuffix(rule.Annotations[annotation], ".") && !strings.HasSuffix(rule.Annotations[annotation], "?") {
				t.Errorf("%s: %s is %q", rule.Alert, annotation, rule.Annotations[annotation])
			}
		}
	}
}
