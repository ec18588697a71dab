locals {
  # Prefix lengths by subnet, largest first so that nothing is wasted. An Azure Monitor private link
  # scope alone takes more than a dozen addresses of the endpoint subnet.
  _prefix_lengths = {
    endpoints      = 25
    applications   = 26
    bastion        = 26
    gateway        = 26
    administration = 27
    runner         = 27
    resolver       = 28
  }
  _order  = ["endpoints", "applications", "bastion", "gateway", "administration", "runner", "resolver"]
  _length = tonumber(split("/", var.address_space)[1])
  # An address space that is too small is refused by its validation; here it must only not crash.
  _derived = local._length > 23 ? {} : zipmap(local._order, cidrsubnets(
    var.address_space, [for name in local._order : local._prefix_lengths[name] - local._length]...
  ))
  prefixes = merge(local._derived, { for name, cidr in var.subnet_overrides : name => cidr })

  # Two ranges overlap exactly if they are equal once both are cut to the shorter prefix.
  overlaps = [
    for pair in setproduct(keys(local.prefixes), keys(local.prefixes)) : "${pair[0]} (${local.prefixes[pair[0]]}) and ${pair[1]} (${local.prefixes[pair[1]]})"
    if index(keys(local.prefixes), pair[0]) < index(keys(local.prefixes), pair[1]) && (
      cidrhost("${split("/", local.prefixes[pair[0]])[0]}/${min([for one in pair : tonumber(split("/", local.prefixes[one])[1])]...)}", 0)
      == cidrhost("${split("/", local.prefixes[pair[1]])[0]}/${min([for one in pair : tonumber(split("/", local.prefixes[one])[1])]...)}", 0)
    )
  ]
  outside = [
    for name, cidr in local.prefixes : "${name} (${cidr})"
    if tonumber(split("/", cidr)[1]) < local._length || cidrhost("${split("/", cidr)[0]}/${local._length}", 0) != cidrhost(var.address_space, 0)
  ]

  # Azure gives the Bastion subnet its name.
  _names = {
    administration = "snet-administration"
    applications   = "snet-applications"
    bastion        = "AzureBastionSubnet"
    endpoints      = "snet-endpoints"
    gateway        = "snet-gateway"
    resolver       = "snet-resolver"
    runner         = "snet-runner"
  }
  _delegations = merge(
    {
      applications = "Microsoft.Web/serverFarms"
      # Azure asks for it of gateways with network isolation.
      gateway  = "Microsoft.Network/applicationGateways"
      resolver = "Microsoft.Network/dnsResolvers"
    },
    var.github_hosted_runner ? { runner = "GitHub.Network/networkSettings" } : {},
  )
  subnets = setunion(["applications", "endpoints"], var.optional_subnets)
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                            = local._names[each.key]
  resource_group_name             = var.resource_group_name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [local.prefixes[each.key]]
  default_outbound_access_enabled = false
  # Without this the group of rules on the endpoint subnet is ignored.
  private_endpoint_network_policies = "Enabled"

  dynamic "delegation" {
    for_each = contains(keys(local._delegations), each.key) ? [local._delegations[each.key]] : []
    content {
      name = "delegation"
      service_delegation {
        name = delegation.value
      }
    }
  }

  lifecycle {
    # Azure writes a delegation's actions itself.
    ignore_changes = [delegation[0].service_delegation[0].actions]
  }
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[each.key].id
}
