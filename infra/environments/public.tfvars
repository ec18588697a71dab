# The same estate for a trial: whoever comes from a named address reaches it too. Still keyless, still signed in.
# Replace the ids, the region and the people; docs/deployment.md says where each comes from.
contacts                      = { security = "security@contoso.com" }
location                      = "swedencentral"
prefix                        = "chat"
public_network_access_enabled = true
address_allow_list            = ["203.0.113.7/32"]
subscription_id               = "00000000-0000-0000-0000-000000000000"

# Groups are put into the roles afterwards, by a person (docs/deployment.md).
entra = {
  contact   = "the service desk (servicedesk@contoso.com)"
  tenant_id = "11111111-1111-1111-1111-111111111111"
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
