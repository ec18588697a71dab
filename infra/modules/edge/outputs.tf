output "address" {
  description = "Where the host name's DNS record points to: a public address, or null behind a private frontend."
  value       = one(azurerm_public_ip.gateway[*].ip_address)
}
