# Written by ent/migrations/plan: the schema that the migrations here lead to. DO NOT EDIT.
table "client_events" {
  schema = schema.public
  column "id" {
    null = false
    type = bigint
    identity {
      generated = BY_DEFAULT
    }
  }
  column "client_id" {
    null = true
    type = uuid
  }
  column "organisation" {
    null = false
    type = varchar
  }
  column "kind" {
    null = false
    type = varchar
  }
  column "at" {
    null = false
    type = timestamptz
  }
  column "secret_version" {
    null = false
    type = bigint
  }
  column "secret_released" {
    null = false
    type = boolean
  }
  column "actor_issuer" {
    null = false
    type = varchar
  }
  column "actor_subject" {
    null = false
    type = varchar
  }
  column "actor_client_id" {
    null = false
    type = varchar
  }
  column "actor_organisation" {
    null = false
    type = varchar
  }
  column "request_id" {
    null = false
    type = varchar
  }
  column "address" {
    null = false
    type = varchar
  }
  column "api" {
    null = false
    type = varchar
  }
  column "reason" {
    null    = false
    type    = varchar
    default = sql("''")
  }
  column "secret_lookup" {
    null = true
    type = bytea
  }
  column "secret_refused" {
    null    = false
    type    = boolean
    default = sql("false")
  }
  primary_key {
    columns = [column.id]
  }
  index "clientevent_client_id_id" {
    columns = [column.client_id, column.id]
  }
  index "clientevent_secret_lookup" {
    columns = [column.secret_lookup]
    where   = "secret_lookup IS NOT NULL"
  }
  index "clientevent_organisation_at" {
    columns = [column.organisation, column.at]
    where   = "secret_refused"
  }
}
table "client_logos" {
  schema = schema.public
  column "id" {
    null = false
    type = bigint
    identity {
      generated = BY_DEFAULT
    }
  }
  column "png" {
    null = false
    type = bytea
  }
  column "client_id" {
    null = false
    type = uuid
  }
  primary_key {
    columns = [column.id]
  }
  foreign_key "client_logos_oauth_clients_logo" {
    columns     = [column.client_id]
    ref_columns = [table.oauth_clients.column.id]
    on_delete   = CASCADE
  }
  index "client_logos_client_id_key" {
    unique  = true
    columns = [column.client_id]
  }
}
table "idempotency_keys" {
  schema = schema.public
  column "id" {
    null = false
    type = bigint
    identity {
      generated = BY_DEFAULT
    }
  }
  column "key" {
    null = false
    type = bytea
  }
  column "request" {
    null = false
    type = bytea
  }
  column "client_id" {
    null = false
    type = uuid
  }
  column "secret_version" {
    null = false
    type = bigint
  }
  column "created_at" {
    null = false
    type = timestamptz
  }
  primary_key {
    columns = [column.id]
  }
  index "idempotency_keys_key_key" {
    unique  = true
    columns = [column.key]
  }
  index "idempotencykey_created_at" {
    columns = [column.created_at]
  }
}
table "keyset_checks" {
  schema = schema.public
  column "id" {
    null = false
    type = bigint
    identity {
      generated = BY_DEFAULT
    }
  }
  column "sealed" {
    null = false
    type = bytea
  }
  primary_key {
    columns = [column.id]
  }
}
table "keyset_keys" {
  schema = schema.public
  column "id" {
    null = false
    type = bigint
  }
  primary_key {
    columns = [column.id]
  }
}
table "oauth_clients" {
  schema = schema.public
  column "id" {
    null = false
    type = uuid
  }
  column "organisation" {
    null = false
    type = varchar
  }
  column "revision" {
    null    = false
    type    = bigint
    default = sql("1")
  }
  column "created_at" {
    null = false
    type = timestamptz
  }
  column "updated_at" {
    null = false
    type = timestamptz
  }
  column "name" {
    null = false
    type = varchar
  }
  column "redirect_uri" {
    null = false
    type = varchar
  }
  column "website_url" {
    null = false
    type = varchar
  }
  column "description" {
    null = false
    type = varchar
  }
  column "supports_refresh_token" {
    null = false
    type = boolean
  }
  column "supports_implicit_grant" {
    null = false
    type = boolean
  }
  column "supports_device_code_grant" {
    null = false
    type = boolean
  }
  column "supports_code_grant" {
    null = false
    type = boolean
  }
  column "uses_managed_buckets" {
    null = false
    type = boolean
  }
  column "application_id" {
    null = true
    type = varchar
  }
  column "application_bindings" {
    null = false
    type = jsonb
  }
  column "allowed_delegators" {
    null = false
    type = jsonb
  }
  column "backchannel_logout_uri" {
    null = true
    type = varchar
  }
  column "backchannel_logout_session_required" {
    null = false
    type = boolean
  }
  column "frontchannel_logout_uri" {
    null = true
    type = varchar
  }
  column "frontchannel_logout_session_required" {
    null = false
    type = boolean
  }
  column "post_logout_redirect_uris" {
    null = false
    type = jsonb
  }
  column "is_verified" {
    null = false
    type = boolean
  }
  column "logo_hash" {
    null = true
    type = varchar
  }
  column "has_secret" {
    null = false
    type = boolean
  }
  column "secret_digest" {
    null = true
    type = bytea
  }
  column "secret_sealed" {
    null = true
    type = bytea
  }
  column "secret_version" {
    null    = false
    type    = bigint
    default = sql("0")
  }
  column "secret_created_at" {
    null = true
    type = timestamptz
  }
  column "previous_secret_digest" {
    null = true
    type = bytea
  }
  column "previous_secret_expires_at" {
    null = true
    type = timestamptz
  }
  column "previous_secret_last_used_at" {
    null = true
    type = timestamptz
  }
  column "ended_digest" {
    null = true
    type = bytea
  }
  column "ended_version" {
    null = true
    type = bigint
  }
  column "ended_at" {
    null = true
    type = timestamptz
  }
  column "ended_presented_at" {
    null = true
    type = timestamptz
  }
  column "verification_failed_at" {
    null = true
    type = timestamptz
  }
  primary_key {
    columns = [column.id]
  }
  index "oauthclient_organisation_created_at_id" {
    columns = [column.organisation, column.created_at, column.id]
  }
  index "oauthclient_organisation_application_id_created_at_id" {
    columns = [column.organisation, column.application_id, column.created_at, column.id]
  }
}
table "signing_keys" {
  schema = schema.public
  column "id" {
    null = false
    type = varchar
  }
  column "issuer" {
    null = false
    type = varchar
  }
  column "private_sealed" {
    null = false
    type = bytea
  }
  column "public" {
    null = false
    type = bytea
  }
  column "created_at" {
    null = false
    type = timestamptz
  }
  column "tokens_until" {
    null = true
    type = timestamptz
  }
  primary_key {
    columns = [column.id]
  }
}
schema "public" {
}
