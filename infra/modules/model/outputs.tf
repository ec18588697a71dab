output "accounts" {
  description = "The accounts, with what an application needs to use them."
  value = {
    for key, account in azurerm_cognitive_account.this : key => {
      deployments = { for name, one in var.accounts[key].deployments : name => one.model }
      id          = account.id
      location    = account.location
      priority    = var.accounts[key].priority
      url         = account.endpoint
    }
  }
  # Names of deployments are of use once they exist.
  depends_on = [azurerm_cognitive_deployment.this]
}
