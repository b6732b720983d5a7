package faults_test

import (
	"fmt"
	"maps"
	"slices"
)

// A view is what one replica says of a client when nobody changes it.
type view struct {
	version  int64
	secret   string
	made     []made           // by the events, the oldest first
	accepted map[string]int64 // of all secrets that are known: those that verify, and as which version
}

// made is an event by which the client was given a secret.
type made struct {
	version int64
	id      string // of the call that did it
}

// A verdict is what is wrong with a client.
type verdict struct {
	// lost are the calls whose rotation was acknowledged and is neither current nor
	// superseded by a later one.
	lost []string
	// oldAccepted counts secrets that verify and are not the current one.
	oldAccepted int
	// problems say what is wrong, a sentence each. Empty: nothing.
	problems []string
}

// judge holds what one replica says of a client against what callers know. This
// is the promise:
//
//   - nothing acknowledged is lost;
//   - one secret is valid, and it is the newest;
//   - each change has one event, and each event a call that asked for it;
//   - what was refused has changed nothing, and what was repeated under an
//     idempotency key took place once.
func judge(h *history, v view) verdict {
	var j verdict
	j.wantKept(h.rotations, v)
	j.wantOneSecret(v)
	j.wantVersionsInOrder(v)
	j.wantOneEventEach(h.rotations, v)
	return j
}

func (j *verdict) wantKept(rotations []rotation, v view) {
	for _, r := range rotations {
		if r.outcome != acknowledged {
			continue
		}
		if !slices.Contains(v.made, made{r.version, r.id}) || r.version > v.version || r.version == v.version && r.secret != v.secret {
			j.lost = append(j.lost, r.id)
			j.complainf("version %d, acknowledged to call %s, is lost: the current version is %d", r.version, r.id, v.version)
		}
	}
}

func (j *verdict) wantOneSecret(v view) {
	for secret, version := range v.accepted {
		if secret != v.secret {
			j.oldAccepted++
			j.complainf("an old secret is accepted as version %d, the current one is %d", version, v.version)
		}
	}
	if version := v.accepted[v.secret]; version != v.version {
		j.complainf("the current secret is accepted as version %d, not as %d", version, v.version)
	}
}

func (j *verdict) wantVersionsInOrder(v view) {
	for i, event := range v.made {
		if event.version != int64(i+1) {
			j.complainf("event %d is of version %d", i+1, event.version)
		}
	}
	if int64(len(v.made)) != v.version {
		j.complainf("there are %d events for %d versions", len(v.made), v.version)
	}
}

func (j *verdict) wantOneEventEach(rotations []rotation, v view) {
	events := map[string]int{}
	for _, event := range v.made {
		events[event.id]++
	}
	for _, r := range rotations {
		n := events[r.id]
		delete(events, r.id)
		if least, most := r.outcome.events(); n < least || n > most {
			j.complainf("call %s has %d events, want %d to %d", r.id, n, least, most)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(events)) {
		j.complainf("call %s has an event, and nobody made it", id)
	}
}

// events are how many a rotation of this outcome may have left.
func (o outcome) events() (least, most int) {
	switch o {
	case acknowledged, superseded:
		return 1, 1
	case refused:
		return 0, 0
	case open:
		return 0, 1
	default:
		return 0, 0
	}
}

func (j *verdict) complainf(format string, args ...any) {
	j.problems = append(j.problems, fmt.Sprintf(format, args...))
}
