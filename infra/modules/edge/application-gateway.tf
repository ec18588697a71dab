# The one door for people without VPN: TLS 1.2 and above, a web application firewall that stops, and
# behind it the application's private endpoint.
locals {
  _zones = var.zone_redundant ? ["1", "2", "3"] : null

  # The rule of content types knows no image and no plain text, which people attach: at that one address it is off.
  # A policy of a path stands in the place of its site's (Azure Web Application Firewall, "WAF policy overview").
  _firewalls = {
    site        = { name = "waf-${var.prefix}", rules_off = [] }
    attachments = { name = "waf-${var.prefix}-attachments", rules_off = ["920420"] }
  }
}

resource "azurerm_user_assigned_identity" "gateway" {
  name                = "id-${var.prefix}-gateway"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

# A gateway reads its certificate as a secret: this one, and no other of the vault.
resource "azurerm_role_assignment" "certificate" {
  scope                = "${var.certificate.vault_id}/secrets/${basename(trimsuffix(var.certificate.secret_id, "/"))}"
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.gateway.principal_id
  principal_type       = "ServicePrincipal"
  description          = "read the certificate of the edge"
}

# Only where people come from the Internet: a declared public door.
resource "azurerm_public_ip" "gateway" {
  count = var.public_address ? 1 : 0

  name                = "pip-${var.prefix}-gateway"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = local._zones
  tags                = var.tags
}

moved {
  from = azurerm_web_application_firewall_policy.this
  to   = azurerm_web_application_firewall_policy.this["site"]
}

resource "azurerm_web_application_firewall_policy" "this" {
  for_each = local._firewalls

  # checkov:skip=CKV_AZURE_135:the check looks for an OWASP rule set; the default rule set 2.1 has the Log4j rule (944240) on.
  name                = each.value.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  policy_settings {
    enabled                     = true
    mode                        = "Prevention"
    request_body_check          = true
    max_request_body_size_in_kb = 2000
    file_upload_limit_in_mb     = 1

    log_scrubbing {
      enabled = true
      # A matched body would be a prompt.
      rule {
        match_variable          = "RequestArgNames"
        selector_match_operator = "EqualsAny"
      }
      rule {
        match_variable          = "RequestJSONArgNames"
        selector_match_operator = "EqualsAny"
      }
    }
  }
  custom_rules {
    name                 = "rate-limit"
    priority             = 10
    rule_type            = "RateLimitRule"
    action               = "Block"
    rate_limit_duration  = "OneMin"
    rate_limit_threshold = 600
    group_rate_limit_by  = "ClientAddr"

    match_conditions {
      operator     = "Any"
      match_values = []
      match_variables {
        variable_name = "RemoteAddr"
      }
    }
  }
  managed_rules {
    managed_rule_set {
      type    = "Microsoft_DefaultRuleSet"
      version = "2.1"

      # The application reads there what a file is from its bytes, and answers 415 to every other.
      dynamic "rule_group_override" {
        for_each = length(each.value.rules_off) > 0 ? ["PROTOCOL-ENFORCEMENT"] : []

        content {
          rule_group_name = rule_group_override.value

          dynamic "rule" {
            for_each = each.value.rules_off

            content {
              id      = rule.value
              enabled = false
            }
          }
        }
      }
    }
    managed_rule_set {
      type    = "Microsoft_BotManagerRuleSet"
      version = "1.1"
    }
    # People ask about SQL and scripts: the text of prompts is not an attack on this application,
    # which neither builds queries from it nor shows it unescaped.
    exclusion {
      match_variable          = "RequestArgNames"
      selector_match_operator = "EqualsAny"
      selector                = "text"
    }
    exclusion {
      match_variable          = "RequestArgNames"
      selector_match_operator = "StartsWith"
      selector                = "messages."
    }
  }
}

resource "azurerm_application_gateway" "this" {
  # checkov:skip=CKV_AZURE_120:it has a policy, with one of its own for files; the check follows no reference by key. The proof does.
  name                              = "agw-${var.prefix}"
  resource_group_name               = var.resource_group_name
  location                          = var.location
  firewall_policy_id                = azurerm_web_application_firewall_policy.this["site"].id
  force_firewall_policy_association = true
  http2_enabled                     = true
  zones                             = local._zones
  tags                              = var.tags

  sku {
    name = "WAF_v2"
    tier = "WAF_v2"
  }
  autoscale_configuration {
    min_capacity = 1
    max_capacity = 5
  }
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.gateway.id]
  }
  ssl_policy {
    policy_type = "Predefined"
    policy_name = "AppGwSslPolicy20220101S"
  }
  gateway_ip_configuration {
    name      = "gateway"
    subnet_id = var.subnet_id
  }
  # Answers stream: nothing may be kept back until it is whole.
  global {
    request_buffering_enabled  = true
    response_buffering_enabled = false
  }
  # Without a public address this is a private-only gateway (feature EnableApplicationGatewayNetworkIsolation).
  frontend_ip_configuration {
    name                          = "people"
    public_ip_address_id          = one(azurerm_public_ip.gateway[*].id)
    subnet_id                     = var.public_address ? null : var.subnet_id
    private_ip_address            = var.public_address ? null : var.private_address
    private_ip_address_allocation = var.public_address ? null : "Static"
  }
  frontend_port {
    name = "https"
    port = 443
  }
  ssl_certificate {
    name                = "edge"
    key_vault_secret_id = var.certificate.secret_id
  }
  http_listener {
    name                           = "https"
    frontend_ip_configuration_name = "people"
    frontend_port_name             = "https"
    protocol                       = "Https"
    ssl_certificate_name           = "edge"
    host_name                      = var.host_name
    firewall_policy_id             = azurerm_web_application_firewall_policy.this["site"].id
  }
  backend_address_pool {
    name  = "web"
    fqdns = [var.backend_host]
  }
  probe {
    name                                      = "ready"
    protocol                                  = "Https"
    path                                      = "/readyz"
    interval                                  = 30
    timeout                                   = 10
    unhealthy_threshold                       = 3
    pick_host_name_from_backend_http_settings = true

    match {
      status_code = ["200"]
    }
  }
  backend_http_settings {
    name                  = "web"
    port                  = 443
    protocol              = "Https"
    cookie_based_affinity = "Disabled"
    host_name             = var.backend_host
    probe_name            = "ready"
    # An answer may stream for minutes; a heartbeat comes every 15 seconds.
    request_timeout = 120
  }
  request_routing_rule {
    name               = "web"
    priority           = 100
    rule_type          = "PathBasedRouting"
    http_listener_name = "https"
    url_path_map_name  = "web"
  }
  url_path_map {
    name                               = "web"
    default_backend_address_pool_name  = "web"
    default_backend_http_settings_name = "web"

    path_rule {
      name                       = "attachments"
      paths                      = ["/api/attachments"]
      backend_address_pool_name  = "web"
      backend_http_settings_name = "web"
      firewall_policy_id         = azurerm_web_application_firewall_policy.this["attachments"].id
    }
  }

  depends_on = [azurerm_role_assignment.certificate]
}

resource "azurerm_monitor_diagnostic_setting" "gateway" {
  name                       = "diagnostics"
  target_resource_id         = azurerm_application_gateway.this.id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_diagnostic_setting" "gateway_address" {
  count = length(azurerm_public_ip.gateway)

  name                       = "diagnostics"
  target_resource_id         = azurerm_public_ip.gateway[0].id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
