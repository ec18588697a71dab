variable "group" { type = object({ name = string, location = string }) }
variable "part" { type = string }
variable "subnet_id" { type = string }
variable "target" { type = string }
variable "zone_ids" { type = list(string) }

resource "azurerm_private_endpoint" "this" {
  name                = "pe-${basename(var.target)}"
  resource_group_name = var.group.name
  location            = var.group.location
  subnet_id           = var.subnet_id

  private_service_connection {
    name                           = "this"
    is_manual_connection           = false
    private_connection_resource_id = var.target
    subresource_names              = [var.part]
  }
  private_dns_zone_group {
    name                 = "this"
    private_dns_zone_ids = var.zone_ids
  }
}
