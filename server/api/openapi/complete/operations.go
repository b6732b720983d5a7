package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"clientsd/gen/go/xeonr/auth/api/v1/apiv1connect"
	"clientsd/gen/go/zitadel/management/v1/managementv1connect"
	"clientsd/server/auth"
)

// The paths of the REST APIs.
const (
	zitadelREST    = "/management/v1/projects/{project_id}/apps/{app_id}/oidc_config/_generate_client_secret"
	vigilo         = "/clients/{client_id}/regenerate-secret"
	vigiloSingular = "/client/{client_id}/regenerate-secret"

	zitadelRPC = managementv1connect.ManagementServiceRegenerateOIDCClientSecretProcedure
)

// headers returns the components that describe the headers of an operation. The
// tests call every operation to see whether it reads Idempotency-Key.
func headers(path string) []string {
	switch path {
	case apiv1connect.ClientsServiceRegenerateSecretProcedure, apiv1connect.ClientsServiceCreateClientProcedure,
		zitadelREST, vigilo, vigiloSingular:
		return []string{"idempotency-key"}
	case zitadelRPC:
		return []string{"x-zitadel-orgid", "idempotency-key"}
	default:
		return nil
	}
}

// rule returns the rule that an operation is authorised by.
func rule(path string) (auth.Rule, bool) {
	rules := auth.NewRules("")
	switch path {
	case zitadelREST:
		path = zitadelRPC
	case vigilo, vigiloSingular:
		return auth.Rule{Scope: auth.ScopeClientManage}, true
	}
	found, ok := rules[path]
	return found, ok
}

// completeOperations adds scopes, headers and short names to every operation.
func completeOperations(paths *yaml.Node) error {
	for i := 0; i < len(paths.Content); i += 2 {
		path, methods := paths.Content[i].Value, paths.Content[i+1]
		rule, ok := rule(path)
		if !ok {
			return fmt.Errorf("%s: no rule says who may call it", path)
		}
		for j := 0; j < len(methods.Content); j += 2 {
			operation := methods.Content[j+1]
			name(operation)
			set(operation, "security", security(rule))
			relaxProtocolVersion(operation)
			for _, header := range headers(path) {
				parameter := mapping("$ref", text("#/components/parameters/"+header))
				set(operation, "parameters", list(append(get(operation, "parameters").Content, parameter)...))
			}
		}
	}
	return nil
}

// security lists the sets of scopes that allow a call. One empty set: no token.
func security(rule auth.Rule) *yaml.Node {
	if rule.Public {
		return list(&yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle})
	}
	requirements := list()
	for _, scopes := range rule.Alternatives() {
		names := list()
		for _, scope := range scopes {
			names.Content = append(names.Content, text(scope))
		}
		requirements.Content = append(requirements.Content, mapping("accessToken", names))
	}
	return requirements
}

// name shortens xeonr.auth.api.v1.ClientsService.GetPublicClients.get to
// GetPublicClientsByGET: generators name functions after it.
func name(operation *yaml.Node) {
	id := get(operation, "operationId")
	full, isGet := strings.CutSuffix(id.Value, ".get")
	id.Value = full[strings.LastIndex(full, ".")+1:]
	if isGet {
		id.Value += "ByGET"
	}
}

// relaxProtocolVersion corrects the plugin: the server does not require the header.
func relaxProtocolVersion(operation *yaml.Node) {
	for _, parameter := range get(operation, "parameters").Content {
		if value := get(parameter, "name"); value != nil && value.Value == "Connect-Protocol-Version" {
			remove(parameter, "required")
		}
	}
}
