# The same estate for a trial, reachable from named addresses: still keyless, still signed in.
# Replace the ids, the region and the people; see docs/quickstart.md and `az account show`.
contacts                      = { security = "security@contoso.com" }
location                      = "swedencentral"
prefix                        = "chat"
public_network_access_enabled = true
address_allow_list            = ["203.0.113.7/32"]
subscription_id               = "00000000-0000-0000-0000-000000000000"

entra = {
  contact   = "the service desk (servicedesk@contoso.com)"
  tenant_id = "11111111-1111-1111-1111-111111111111"
  role_members = {
    admin = ["22222222-2222-2222-2222-222222222222"]
    user  = ["33333333-3333-3333-3333-333333333333"]
  }
}

model_accounts = {
  main = {
    location = "swedencentral"
    deployments = {
      chat       = { model = "gpt-5.4-mini", capacity = 100 }
      embeddings = { model = "text-embedding-3-small" }
      reasoning  = { model = "gpt-5.1" }
    }
  }
}
