# Every subnet's rules as a table: what is allowed, in order; one explicit denial below, because the
# default rule "AllowVnetInBound" admits peered networks.
locals {
  _endpoints = local.prefixes["endpoints"]
  _callers = concat(
    [for name in ["administration", "applications", "runner"] : local.prefixes[name] if contains(local.subnets, name)],
    var.administrator_address_prefixes,
  )
  # People and the edge have business with the web application and with nothing behind it. Azure keeps the
  # last address of a subnet for itself; these two before it are given to the application's endpoints.
  web_addresses = { production = cidrhost(local._endpoints, -2), staging = cidrhost(local._endpoints, -3) }
  _people       = concat(var.user_address_prefixes, var.administrator_address_prefixes)
  _edge         = contains(local.subnets, "gateway") ? [local.prefixes["gateway"]] : []
  _resolvers    = var.dns_servers == null ? ["168.63.129.16"] : var.dns_servers
  _bastion      = contains(local.subnets, "bastion") ? [local.prefixes["bastion"]] : []
  # Who is named comes in; with nobody named, whoever is in the network or joined to it.
  _bastion_users = concat(var.bastion_source_prefixes, local._people)
  # Ubuntu's mirrors answer over plain HTTP; what comes from them is signed.
  _downloads = { name = "downloads", from = ["VirtualNetwork"], to = ["*"], ports = ["80", "443"], protocol = "Tcp" }

  _allow = {
    administration = {
      Inbound  = [{ name = "ssh-from-bastion", from = local._bastion, to = ["VirtualNetwork"], ports = ["22"], protocol = "Tcp" }]
      Outbound = [local._downloads]
    }
    applications = {
      Inbound = []
      Outbound = [
        { name = "endpoints", from = ["VirtualNetwork"], to = [local._endpoints], ports = ["443"], protocol = "Tcp" },
        { name = "entra", from = ["VirtualNetwork"], to = ["AzureActiveDirectory"], ports = ["443"], protocol = "Tcp" },
        { name = "resource-manager", from = ["VirtualNetwork"], to = ["AzureResourceManager"], ports = ["443"], protocol = "Tcp" },
        { name = "dns", from = ["VirtualNetwork"], to = local._resolvers, ports = ["53"], protocol = "*" },
      ]
    }
    # Source: Microsoft Learn, "Working with NSG access and Azure Bastion".
    bastion = {
      Inbound = [
        { name = "gateway-manager", from = ["GatewayManager"], to = ["*"], ports = ["443"], protocol = "Tcp" },
        { name = "load-balancer", from = ["AzureLoadBalancer"], to = ["*"], ports = ["443"], protocol = "Tcp" },
        { name = "users", from = length(local._bastion_users) > 0 ? local._bastion_users : ["VirtualNetwork"], to = ["*"], ports = ["443"], protocol = "Tcp" },
        { name = "data-plane", from = ["VirtualNetwork"], to = ["VirtualNetwork"], ports = ["5701", "8080"], protocol = "*" },
      ]
      Outbound = [
        { name = "machines", from = ["*"], to = ["VirtualNetwork"], ports = ["22"], protocol = "*" },
        { name = "azure", from = ["*"], to = ["AzureCloud"], ports = ["443"], protocol = "Tcp" },
        { name = "data-plane", from = ["VirtualNetwork"], to = ["VirtualNetwork"], ports = ["5701", "8080"], protocol = "*" },
      ]
    }
    endpoints = {
      Inbound = [
        { name = "https-from-callers", from = local._callers, to = [local._endpoints], ports = ["443"], protocol = "Tcp" },
        { name = "web-from-users", from = var.user_address_prefixes, to = values(local.web_addresses), ports = ["443"], protocol = "Tcp" },
        { name = "web-from-edge", from = local._edge, to = [local.web_addresses.production], ports = ["443"], protocol = "Tcp" },
      ]
      Outbound = []
    }
    # Source: Microsoft Learn, "Application Gateway infrastructure configuration".
    gateway = {
      Inbound = [
        { name = "gateway-manager", from = ["GatewayManager"], to = ["*"], ports = ["65200-65535"], protocol = "Tcp" },
        { name = "load-balancer", from = ["AzureLoadBalancer"], to = ["*"], ports = ["*"], protocol = "*" },
        { name = "users", from = length(var.gateway_source_prefixes) > 0 ? var.gateway_source_prefixes : ["VirtualNetwork"], to = ["*"], ports = ["443"], protocol = "Tcp" },
      ]
      Outbound = [
        { name = "web", from = ["VirtualNetwork"], to = [local.web_addresses.production], ports = ["443"], protocol = "Tcp" },
        { name = "azure", from = ["VirtualNetwork"], to = ["Internet"], ports = ["443"], protocol = "Tcp" },
      ]
    }
    resolver = {
      Inbound  = [{ name = "dns-from-users", from = length(local._people) > 0 ? local._people : ["VirtualNetwork"], to = ["*"], ports = ["53"], protocol = "*" }]
      Outbound = []
    }
    # An administrator registers a runner machine by hand; GitHub's machines take nobody in.
    runner = {
      Inbound  = [{ name = "ssh-from-bastion", from = var.github_hosted_runner ? [] : local._bastion, to = ["VirtualNetwork"], ports = ["22"], protocol = "Tcp" }]
      Outbound = [local._downloads]
    }
  }
  # The applications' group governs what leaves; nothing can enter an integration subnet.
  _denied = {
    administration = ["Inbound", "Outbound"]
    applications   = ["Outbound"]
    bastion        = ["Inbound"]
    endpoints      = ["Inbound", "Outbound"]
    gateway        = ["Inbound"]
    resolver       = ["Inbound", "Outbound"]
    runner         = ["Inbound", "Outbound"]
  }
  rules = {
    for subnet in local.subnets : subnet => concat(
      flatten([
        for direction, allowed in local._allow[subnet] : [
          for index, rule in allowed : merge(rule, { access = "Allow", direction = direction, priority = 100 + index * 10 })
          if length(rule.from) > 0
        ]
      ]),
      [
        for direction in local._denied[subnet] : {
          name   = "deny-the-rest", from = ["*"], to = ["*"], ports = ["*"], protocol = "*"
          access = "Deny", direction = direction, priority = 4000
        }
      ],
    )
  }
}

resource "azurerm_network_security_group" "this" {
  for_each = local.subnets

  name                = "nsg-${var.prefix}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  dynamic "security_rule" {
    for_each = local.rules[each.key]
    content {
      name                         = "${security_rule.value.name}-${lower(security_rule.value.direction)}"
      access                       = security_rule.value.access
      direction                    = security_rule.value.direction
      priority                     = security_rule.value.priority
      protocol                     = security_rule.value.protocol
      source_port_range            = "*"
      source_address_prefix        = length(security_rule.value.from) == 1 ? security_rule.value.from[0] : null
      source_address_prefixes      = length(security_rule.value.from) == 1 ? null : security_rule.value.from
      destination_address_prefix   = length(security_rule.value.to) == 1 ? security_rule.value.to[0] : null
      destination_address_prefixes = length(security_rule.value.to) == 1 ? null : security_rule.value.to
      destination_port_range       = length(security_rule.value.ports) == 1 ? security_rule.value.ports[0] : null
      destination_port_ranges      = length(security_rule.value.ports) == 1 ? null : security_rule.value.ports
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "security_group" {
  for_each = toset(var.diagnostics == null ? [] : local.subnets)

  name                       = "diagnostics"
  target_resource_id         = azurerm_network_security_group.this[each.key].id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
}
