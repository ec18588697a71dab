# Timers that are disabled in staging stay disabled there through a swap.
locals {
  _timers = {
    production = {}
    staging    = { for name in var.timers : "AzureWebJobs.${name}.Disabled" => "1" }
  }
}

resource "azurerm_linux_function_app" "this" {
  name                                           = var.names.functions
  resource_group_name                            = var.resource_group_name
  location                                       = var.location
  service_plan_id                                = azurerm_service_plan.this.id
  app_settings                                   = merge(var.settings.functions["production"], local._timers["production"])
  builtin_logging_enabled                        = false
  content_share_force_disabled                   = true
  ftp_publish_basic_authentication_enabled       = false
  functions_extension_version                    = "~4"
  https_only                                     = true
  key_vault_reference_identity_id                = var.identities["functions-production"].id
  public_network_access_enabled                  = false
  storage_account_name                           = var.host_storage_account_name
  storage_uses_managed_identity                  = true
  virtual_network_backup_restore_enabled         = true
  virtual_network_subnet_id                      = var.applications_subnet_id
  vnet_image_pull_enabled                        = true
  webdeploy_publish_basic_authentication_enabled = false
  tags                                           = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identities["functions-production"].id]
  }
  site_config {
    always_on                         = true
    ftps_state                        = "Disabled"
    http2_enabled                     = true
    ip_restriction_default_action     = "Deny"
    minimum_tls_version               = "1.2"
    scm_ip_restriction_default_action = "Deny"
    scm_minimum_tls_version           = "1.2"
    scm_use_main_ip_restriction       = false
    use_32_bit_worker                 = false
    vnet_route_all_enabled            = true

    application_stack {
      python_version = var.python_version
    }
  }
  # There is no HTTP trigger; whatever else answers HTTP on a function app asks for a token first.
  auth_settings_v2 {
    auth_enabled           = true
    require_authentication = true
    require_https          = true
    unauthenticated_action = "Return401"

    active_directory_v2 {
      client_id            = var.client_ids["production"]
      tenant_auth_endpoint = var.tenant_auth_endpoint
      allowed_audiences    = [var.client_ids["production"]]
    }
    login {
      token_store_enabled = false
    }
  }
  sticky_settings {
    app_setting_names = concat(local.sticky.functions, sort(keys(local._timers.staging)))
  }

  lifecycle {
    # A swap and a deployment of a package write this.
    ignore_changes = [app_settings["WEBSITE_RUN_FROM_PACKAGE"]]
  }
}

resource "azurerm_linux_function_app_slot" "staging" {
  name                                           = "staging"
  function_app_id                                = azurerm_linux_function_app.this.id
  app_settings                                   = merge(var.settings.functions["staging"], local._timers["staging"])
  builtin_logging_enabled                        = false
  content_share_force_disabled                   = true
  ftp_publish_basic_authentication_enabled       = false
  functions_extension_version                    = "~4"
  https_only                                     = true
  key_vault_reference_identity_id                = var.identities["functions-staging"].id
  public_network_access_enabled                  = false
  storage_account_name                           = var.host_storage_account_name
  storage_uses_managed_identity                  = true
  virtual_network_backup_restore_enabled         = true
  virtual_network_subnet_id                      = var.applications_subnet_id
  vnet_image_pull_enabled                        = true
  webdeploy_publish_basic_authentication_enabled = false
  tags                                           = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identities["functions-staging"].id]
  }
  site_config {
    always_on                         = true
    ftps_state                        = "Disabled"
    http2_enabled                     = true
    ip_restriction_default_action     = "Deny"
    minimum_tls_version               = "1.2"
    scm_ip_restriction_default_action = "Deny"
    scm_minimum_tls_version           = "1.2"
    scm_use_main_ip_restriction       = false
    use_32_bit_worker                 = false
    vnet_route_all_enabled            = true

    application_stack {
      python_version = var.python_version
    }
  }
  # There is no HTTP trigger; whatever else answers HTTP on a function app asks for a token first.
  auth_settings_v2 {
    auth_enabled           = true
    require_authentication = true
    require_https          = true
    unauthenticated_action = "Return401"

    active_directory_v2 {
      client_id            = var.client_ids["staging"]
      tenant_auth_endpoint = var.tenant_auth_endpoint
      allowed_audiences    = [var.client_ids["staging"]]
    }
    login {
      token_store_enabled = false
    }
  }

  lifecycle {
    ignore_changes = [app_settings["WEBSITE_RUN_FROM_PACKAGE"]]
  }
}

resource "azurerm_private_endpoint" "functions" {
  for_each = local.attached ? local._sites : {}

  name                = "pe-${var.prefix}-functions-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "functions-${each.key}"
    private_connection_resource_id = azurerm_linux_function_app.this.id
    subresource_names              = [each.value]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids["sites"]
  }

  depends_on = [azurerm_linux_function_app_slot.staging]
}

resource "azurerm_private_endpoint" "functions_by_policy" {
  for_each = local.by_policy ? local._sites : {}

  name                = "pe-${var.prefix}-functions-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "functions-${each.key}"
    private_connection_resource_id = azurerm_linux_function_app.this.id
    subresource_names              = [each.value]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
  depends_on = [azurerm_linux_function_app_slot.staging]
}

resource "azurerm_monitor_diagnostic_setting" "functions" {
  for_each = {
    production = azurerm_linux_function_app.this.id
    staging    = azurerm_linux_function_app_slot.staging.id
  }

  name                       = "diagnostics"
  target_resource_id         = each.value
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
