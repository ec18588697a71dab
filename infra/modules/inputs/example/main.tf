terraform {
  required_version = ">= 1.11"
}

module "inputs" {
  source = "./.."

  cloud = {
    github_network = true
    zones = {
      blob  = ["privatelink.blob.core.windows.net"]
      vault = ["privatelink.vaultcore.azure.net"]
    }
  }
  entra = {
    contact   = "the service desk (servicedesk@contoso.com)"
    tenant_id = "11111111-1111-1111-1111-111111111111"
  }
  model_accounts = {
    main = {
      location    = "swedencentral"
      deployments = { chat = { model = "gpt-5.1" } }
    }
  }
  operations = { bastion = {}, policy = {} }
}
