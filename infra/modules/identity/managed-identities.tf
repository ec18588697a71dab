# One identity for each application in each slot: a release candidate in staging can neither read
# production's data nor sign in as production.
resource "azurerm_user_assigned_identity" "this" {
  for_each = { for pair in setproduct(["functions", "web"], var.slots) : "${pair[0]}-${pair[1]}" => pair }

  name                = "id-${var.prefix}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}
