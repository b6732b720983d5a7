package server

import (
	lru "github.com/hashicorp/golang-lru/v2"

	apiv1 "clientsd/gen/go/xeonr/auth/api/v1"
	"clientsd/server/oauthclient"
)

const (
	// maxAnswers bounds how many answers are remembered.
	maxAnswers = 2048
	// maxAnswerBytes bounds the text of an answer that is remembered.
	maxAnswerBytes = 4 << 10
)

// answers remember what GetClient has answered without a secret: to read, convert
// and encode a full record costs more than all the rest of a call. They are no
// cache of what is in the database, which is asked for the state of the client
// every time; they only spare saying the same thing anew.
type answers struct {
	byClient *lru.Cache[string, answer]
}

// An answer is what was said of a client in one state. Nobody may change it: many
// calls may be answered with it at once.
type answer struct {
	state   oauthclient.State
	message *apiv1.GetClientResponse
	json    []byte
}

func newAnswers() (answers, error) {
	byClient, err := lru.New[string, answer](maxAnswers)
	return answers{byClient}, err
}

// get is the answer about a client in this state, or nil.
func (a answers) get(clientID string, state oauthclient.State) *apiv1.GetClientResponse {
	if known, ok := a.byClient.Get(clientID); ok && known.state == state {
		return known.message
	}
	return nil
}

// add remembers an answer, unless it is too large for that.
func (a answers) add(state oauthclient.State, message *apiv1.GetClientResponse) {
	text, err := appendJSON(nil, message)
	if err != nil || len(text) > maxAnswerBytes || message.GetClient().ClientSecret != nil {
		return
	}
	a.byClient.Add(message.GetClient().GetClientId(), answer{state, message, text})
}

// json is the text of a message that get has returned, or nil.
func (a answers) json(message any) []byte {
	response, ok := message.(*apiv1.GetClientResponse)
	if !ok {
		return nil
	}
	if known, ok := a.byClient.Peek(response.GetClient().GetClientId()); ok && known.message == response {
		return known.json
	}
	return nil
}
