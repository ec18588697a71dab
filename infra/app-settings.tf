# The settings that tables/settings.json names. No value here is a secret.
locals {
  # The id is what deployments are managed by, the rest what they are used by.
  model_accounts = jsonencode({
    for key, account in module.model.accounts : key => {
      deployments = account.deployments
      id          = account.id
      priority    = account.priority
      url         = account.url
    }
  })
  # Where packages are, unpacked or mounted (docs/adr/0009-packages-without-a-build.md).
  _package = "/home/site/wwwroot"
  _settings_of_slot = {
    for slot in ["production", "staging"] : slot => {
      for app in ["functions", "web"] : app => {
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${module.identity.identities["${app}-${slot}"].client_id};Authorization=AAD"
        APPLICATIONINSIGHTS_CONNECTION_STRING     = module.telemetry.connection_string
        AZURE_CLIENT_ID                           = module.identity.identities["${app}-${slot}"].client_id
        AzureFunctionsWebHost__hostid             = substr("${replace(var.prefix, "-", "")}${slot}", 0, 32)
        AzureWebJobsStorage__clientId             = module.identity.identities["${app}-${slot}"].client_id
        AzureWebJobsStorage__credential           = "managedidentity"
        SCM_DO_BUILD_DURING_DEPLOYMENT            = "false"
        SECURE_OPENAI_ALLOWED_HOSTS               = join(",", distinct([trimprefix(local.public_urls[slot], "https://"), local.web_hosts[slot]]))
        SECURE_OPENAI_APPEARANCE                  = var.appearance_file == null ? null : "${local._package}/${var.appearance_file}"
        SECURE_OPENAI_ATTACHMENTS_CONTAINER       = module.store.records.attachment_names[slot]
        SECURE_OPENAI_AUTHORITY                   = "${local.cloud.authority}/${local.entra.tenant_id}/v2.0"
        SECURE_OPENAI_BLOB_URL                    = module.store.records.url
        SECURE_OPENAI_CLIENT_ID                   = module.identity.client_ids[slot]
        SECURE_OPENAI_CLOUD                       = var.cloud
        SECURE_OPENAI_CONTACT                     = local.entra.contact
        SECURE_OPENAI_COSMOS_DATABASE             = module.store.cosmos.databases[slot]
        SECURE_OPENAI_COSMOS_URL                  = module.store.cosmos.url
        SECURE_OPENAI_EVIDENCE_KEY_URL            = module.store.evidence_keys[slot].url
        SECURE_OPENAI_EXPORTS_CONTAINER           = module.store.records.export_names[slot]
        SECURE_OPENAI_FEDERATION_AUDIENCE         = local.cloud.federation_audience
        SECURE_OPENAI_LISTEN_HOST                 = "0.0.0.0"
        SECURE_OPENAI_LISTEN_PORT                 = "8000"
        SECURE_OPENAI_MODEL_ACCOUNTS              = local.model_accounts
        SECURE_OPENAI_MODEL_SOURCE                = "azure"
        SECURE_OPENAI_POLICY                      = var.policy_file == null ? null : "${local._package}/${var.policy_file}"
        SECURE_OPENAI_PUBLIC_URL                  = local.public_urls[slot]
        SECURE_OPENAI_SEALS_CONTAINER             = module.store.records.seal_names[slot]
        SECURE_OPENAI_SEAL_KEY_URL                = module.store.seal_keys[slot].url
        SECURE_OPENAI_TENANT_ID                   = local.entra.tenant_id
        # Azure waits 5 seconds by default: answers that stream, and what was observed, would be cut off.
        WEBSITES_CONTAINER_STOP_TIME_LIMIT = "60"
        # Deploying writes the package's address here; the identity fetches it (docs/adr/0009-packages-without-a-build.md).
        WEBSITE_RUN_FROM_PACKAGE                     = "1"
        WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID = module.identity.identities["${app}-${slot}"].id
      }
    }
  }
  # By name: to ask each value whether it is null would make all as sensitive as one of them is, and a plan
  # would show none.
  _unset = concat(
    var.appearance_file == null ? ["SECURE_OPENAI_APPEARANCE"] : [],
    var.policy_file == null ? ["SECURE_OPENAI_POLICY"] : [],
  )
  _given = { for name, one in local.settings : name => one if !contains(local._unset, name) }
  app_settings = {
    for app in ["functions", "web"] : app => {
      for slot in ["production", "staging"] : slot => {
        for name, one in local._given : name => local._settings_of_slot[slot][app][name] if contains(one.apps, app)
      }
    }
  }
}
