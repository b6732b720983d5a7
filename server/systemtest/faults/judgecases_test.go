package faults_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lawful is a client of three versions, the last of them current. The second was
// asked for under a key; the call "open" has no answer.
func lawful() (*history, view) {
	return &history{rotations: []rotation{
			{id: "create", outcome: acknowledged, version: 1, secret: "one"},
			{id: "refused", outcome: refused},
			{id: "second", keyed: true, outcome: acknowledged, version: 2, secret: "two"},
			{id: "open", outcome: open},
			{id: "third", outcome: acknowledged, version: 3, secret: "three"},
		}}, view{
			version:  3,
			secret:   "three",
			made:     []made{{1, "create"}, {2, "second"}, {3, "third"}},
			accepted: map[string]int64{"three": 3},
		}
}

// A harness whose judge finds nothing wrong proves nothing.
func TestJudge_FindsWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(h *history, v *view)
		want   verdict
	}{
		"nothing": {func(*history, *view) {}, verdict{}},
		"the open call took place": {func(_ *history, v *view) {
			v.version, v.secret = 4, "four"
			v.made = append(v.made, made{4, "open"})
			v.accepted = map[string]int64{"four": 4}
		}, verdict{}},
		"the third was superseded before its answer": {func(h *history, v *view) {
			h.rotations[4] = rotation{id: "third", keyed: true, outcome: superseded}
			v.version, v.secret = 4, "four"
			v.made = append(v.made, made{4, "open"})
			v.accepted = map[string]int64{"four": 4}
		}, verdict{}},
		"the last rotation is gone, and the secret before it is back": {func(_ *history, v *view) {
			v.version, v.secret = 2, "two"
			v.made = v.made[:2]
			v.accepted = map[string]int64{"two": 2}
		}, verdict{lost: []string{"third"}, problems: []string{
			"version 3, acknowledged to call third, is lost: the current version is 2",
			"call third has 0 events, want 1 to 1",
		}}},
		"another rotation has taken the place of the last": {func(_ *history, v *view) {
			v.secret = "other"
			v.made[2].id = "open"
			v.accepted = map[string]int64{"other": 3}
		}, verdict{lost: []string{"third"}, problems: []string{
			"version 3, acknowledged to call third, is lost: the current version is 3",
			"call third has 0 events, want 1 to 1",
		}}},
		"an earlier rotation was undone by a later one": {func(_ *history, v *view) {
			v.made[1].id = "open"
		}, verdict{lost: []string{"second"}, problems: []string{
			"version 2, acknowledged to call second, is lost: the current version is 3",
			"call second has 0 events, want 1 to 1",
		}}},
		"the row has another secret than was acknowledged": {func(_ *history, v *view) {
			v.secret = "other"
			v.accepted = map[string]int64{"other": 3}
		}, verdict{lost: []string{"third"}, problems: []string{"version 3, acknowledged to call third, is lost: the current version is 3"}}},
		"an old secret is accepted beside the current one": {func(_ *history, v *view) {
			v.accepted["two"] = 2
		}, verdict{oldAccepted: 1, problems: []string{"an old secret is accepted as version 2, the current one is 3"}}},
		"an old secret is accepted in place of the current one": {func(_ *history, v *view) {
			v.accepted = map[string]int64{"one": 3}
		}, verdict{oldAccepted: 1, problems: []string{
			"an old secret is accepted as version 3, the current one is 3",
			"the current secret is accepted as version 0, not as 3",
		}}},
		"no secret is accepted": {func(_ *history, v *view) {
			v.accepted = nil
		}, verdict{problems: []string{"the current secret is accepted as version 0, not as 3"}}},
		"a refused call has changed something": {func(_ *history, v *view) {
			v.version, v.secret = 4, "four"
			v.made = append(v.made, made{4, "refused"})
			v.accepted = map[string]int64{"four": 4}
		}, verdict{problems: []string{"call refused has 1 events, want 0 to 0"}}},
		"a repeated call took place twice": {func(_ *history, v *view) {
			v.version, v.secret = 4, "four"
			v.made = append(v.made, made{4, "second"})
			v.accepted = map[string]int64{"four": 4}
		}, verdict{problems: []string{"call second has 2 events, want 1 to 1"}}},
		"an event is missing": {func(_ *history, v *view) {
			v.version, v.secret = 4, "four"
			v.accepted = map[string]int64{"four": 4}
		}, verdict{problems: []string{"there are 3 events for 4 versions"}}},
		"an event is of the wrong version": {func(_ *history, v *view) {
			v.made = append(v.made[:2], made{2, "open"}, made{3, "third"})
		}, verdict{problems: []string{"event 3 is of version 2", "event 4 is of version 3", "there are 4 events for 3 versions"}}},
		"an event belongs to no call": {func(_ *history, v *view) {
			v.version, v.secret = 4, "four"
			v.made = append(v.made, made{4, "stranger"})
			v.accepted = map[string]int64{"four": 4}
		}, verdict{problems: []string{"call stranger has an event, and nobody made it"}}},
	} {
		t.Run(name, func(t *testing.T) {
			h, v := lawful()
			tt.change(h, &v)
			if diff := cmp.Diff(tt.want, judge(h, v), cmp.AllowUnexported(verdict{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
