output "address" {
  description = "Where the host name's DNS record points to: the public address, or the private one of the gateway's subnet."
  value       = var.public_address ? azurerm_public_ip.gateway[0].ip_address : var.private_address
}
