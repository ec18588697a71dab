resource "azurerm_linux_web_app" "this" {
  # checkov:skip=CKV_AZURE_13:the application signs its users in itself, the same code everywhere (docs/adr/0005-the-application-signs-in.md).
  # checkov:skip=CKV_AZURE_17:client certificates would stop browsers from signing in with Entra ID.
  # checkov:skip=CKV_AZURE_88:an Azure Files mount demands an account key; the application keeps nothing on disk.
  name                                           = var.names.web
  resource_group_name                            = var.resource_group_name
  location                                       = var.location
  service_plan_id                                = azurerm_service_plan.this.id
  app_settings                                   = var.settings.web["production"]
  client_affinity_enabled                        = false
  ftp_publish_basic_authentication_enabled       = false
  https_only                                     = true
  key_vault_reference_identity_id                = var.identities["web-production"].id
  public_network_access_enabled                  = local.public
  virtual_network_backup_restore_enabled         = true
  virtual_network_subnet_id                      = var.applications_subnet_id
  vnet_image_pull_enabled                        = true
  webdeploy_publish_basic_authentication_enabled = false
  tags                                           = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identities["web-production"].id]
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
    app_command_line                  = var.web_command
    health_check_eviction_time_in_min = 5
    health_check_path                 = "/startupz"
    minimum_tls_cipher_suite          = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    websockets_enabled                = false

    application_stack {
      python_version = var.python_version
    }

    dynamic "ip_restriction" {
      for_each = var.address_allow_list
      content {
        name       = "allowed"
        action     = "Allow"
        ip_address = ip_restriction.value
        priority   = 100
      }
    }
  }
  # No auth_settings_v2: Easy Auth would put a second sign-in in front of browsers and turn gateway
  # clients away.
  logs {
    detailed_error_messages = true
    failed_request_tracing  = true

    http_logs {
      file_system {
        retention_in_days = 7
        retention_in_mb   = 35
      }
    }
  }
  dynamic "sticky_settings" {
    for_each = length(local.sticky.web) > 0 ? [local.sticky.web] : []
    content {
      app_setting_names = sticky_settings.value
    }
  }
}

resource "azurerm_linux_web_app_slot" "staging" {
  name                                           = "staging"
  app_service_id                                 = azurerm_linux_web_app.this.id
  app_settings                                   = var.settings.web["staging"]
  client_affinity_enabled                        = false
  ftp_publish_basic_authentication_enabled       = false
  https_only                                     = true
  key_vault_reference_identity_id                = var.identities["web-staging"].id
  public_network_access_enabled                  = local.public
  virtual_network_backup_restore_enabled         = true
  virtual_network_subnet_id                      = var.applications_subnet_id
  vnet_image_pull_enabled                        = true
  webdeploy_publish_basic_authentication_enabled = false
  tags                                           = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identities["web-staging"].id]
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
    app_command_line                  = var.web_command
    health_check_eviction_time_in_min = 5
    health_check_path                 = "/startupz"
    minimum_tls_cipher_suite          = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    websockets_enabled                = false

    application_stack {
      python_version = var.python_version
    }

    dynamic "ip_restriction" {
      for_each = var.address_allow_list
      content {
        name       = "allowed"
        action     = "Allow"
        ip_address = ip_restriction.value
        priority   = 100
      }
    }
  }
  # No auth_settings_v2: Easy Auth would put a second sign-in in front of browsers and turn gateway
  # clients away.
  logs {
    detailed_error_messages = true
    failed_request_tracing  = true

    http_logs {
      file_system {
        retention_in_days = 7
        retention_in_mb   = 35
      }
    }
  }
}

resource "azurerm_private_endpoint" "web" {
  for_each = local.attached ? local._sites : {}

  name                = "pe-${var.prefix}-web-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "web-${each.key}"
    private_connection_resource_id = azurerm_linux_web_app.this.id
    subresource_names              = [each.value]
    is_manual_connection           = false
  }
  # A security group lets people and the edge reach this address, and no other endpoint.
  dynamic "ip_configuration" {
    for_each = contains(keys(var.web_addresses), each.key) ? [var.web_addresses[each.key]] : []
    content {
      name               = "web"
      private_ip_address = ip_configuration.value
      subresource_name   = each.value
      member_name        = each.value
    }
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids["sites"]
  }

  depends_on = [azurerm_linux_web_app_slot.staging]
}

resource "azurerm_private_endpoint" "web_by_policy" {
  for_each = local.by_policy ? local._sites : {}

  name                = "pe-${var.prefix}-web-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "web-${each.key}"
    private_connection_resource_id = azurerm_linux_web_app.this.id
    subresource_names              = [each.value]
    is_manual_connection           = false
  }
  # A security group lets people and the edge reach this address, and no other endpoint.
  dynamic "ip_configuration" {
    for_each = contains(keys(var.web_addresses), each.key) ? [var.web_addresses[each.key]] : []
    content {
      name               = "web"
      private_ip_address = ip_configuration.value
      subresource_name   = each.value
      member_name        = each.value
    }
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
  depends_on = [azurerm_linux_web_app_slot.staging]
}

resource "azurerm_monitor_diagnostic_setting" "web" {
  for_each = {
    production = azurerm_linux_web_app.this.id
    staging    = azurerm_linux_web_app_slot.staging.id
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
