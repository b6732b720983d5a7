package secret_test

import (
	"encoding/base64"
	"testing"

	"clientsd/server/secret"
)

// What the database of a release holds, sealed with vectorKeyset. Another program has
// opened it, with AES-256-GCM and the associated data in hexadecimal:
//
//	secret       636c69656e7473642f7365616c65642f7365637265742f763100 0010 CLIENT ID 0020 DIGEST
//	signing key  636c69656e7473642f7365616c65642f7369676e696e672d6b65792f763100 0005 6b65792d31
//	check        636c69656e7473642f7365616c65642f636865636b2f763100
//	page token   636c69656e7473642f7365616c65642f706167652d746f6b656e2f763100 0002 6162 0001 63
//
// If a change makes this test fail, no release can open what an earlier one stored.
const (
	vectorKeyset = `{"primaryKeyId":1955289369,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey",` +
		`"value":"GiA3Ux5v73hP35bnoGvAMVfSEWCGJX/55OmD6U6if3ANcA==","keyMaterialType":"SYMMETRIC"},` +
		`"status":"ENABLED","keyId":1955289369,"outputPrefixType":"TINK"}]}`
	vectorSecret     = "AXSLWRlDIG7zOHcm/8YW3ETfL5/JoN2o0wcxXg27Bm59fHgBTDuYzmTGt+E2wHfXMgef8x5X7XncSz4uV9uQyJpM8RNHbk9QA7YznWdp3l23WHoYlgnOoZW0"
	vectorSigningKey = "AXSLWRkudG+f7H3fCnQhQEEDJ1Yax6VCJqNvllpZmXUNnvsMKHr/tg=="
	vectorCheck      = "AXSLWRknwqCNu33kydOJyYGwG5r8SoMvY5JCDjx/8d9g02H/n+RjKr4XJ2ELjKtjDgvCvqpX"
	vectorPageToken  = "AXSLWRkIt2moWLFRI1tyvDsmWrStId+rkuTejVQmOKWhTYF3we8N"
)

func TestOpen_WhatAnEarlierReleaseSealed(t *testing.T) {
	keyset, err := secret.ParseKeyset([]byte(vectorKeyset))
	if err != nil {
		t.Fatal(err)
	}
	vector := func(text string) []byte {
		sealed, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	digest := secret.DigestOf(client, knownSecret(t))
	if got, err := keyset.Open(client, digest[:], vector(vectorSecret)); err != nil || got.Reveal() != known {
		t.Errorf("the secret: got %q, error %v", got.Reveal(), err)
	}
	if got, err := keyset.OpenSigningKey("key-1", vector(vectorSigningKey)); err != nil || string(got) != "private" {
		t.Errorf("the signing key: got %q, error %v", got, err)
	}
	if err := keyset.OpenCheck(vector(vectorCheck)); err != nil {
		t.Errorf("the check: %v", err)
	}
	if got, err := keyset.OpenPageToken(vector(vectorPageToken), "ab", "c"); err != nil || string(got) != "cursor" {
		t.Errorf("the page token: got %q, error %v", got, err)
	}
}
