resource "azurerm_cognitive_deployment" "this" {
  for_each = local.deployments

  name                   = each.value.deployment
  cognitive_account_id   = azurerm_cognitive_account.this[each.value.account].id
  rai_policy_name        = azurerm_cognitive_account_rai_policy.this[each.value.account].name
  version_upgrade_option = "NoAutoUpgrade"

  model {
    format  = "OpenAI"
    name    = each.value.model
    version = coalesce(each.value.version, try(var.models[each.value.model].version, null))
  }
  sku {
    name     = each.value.sku
    capacity = each.value.capacity
  }
}

locals {
  # Whom the public door lets in is the switch: with nobody on the list there is no door.
  public    = length(var.address_allow_list) > 0
  attached  = var.private_network.zone_ids != null
  by_policy = !local.attached

  names = { for key in keys(var.accounts) : key => "oai-${var.prefix}-${key}-${var.suffix}" }
  deployments = merge([
    for account, one in var.accounts : {
      for deployment, asked in one.deployments : "${account}-${deployment}" => merge(asked, { account = account, deployment = deployment })
    }
  ]...)
}
