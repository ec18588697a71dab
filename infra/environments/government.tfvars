# The estate in Azure Government: its own names, zones, authority and audiences, and the models it has.
# Replace the ids, the region and the people; docs/deployment.md says where each comes from.
cloud           = "usgovernment"
contacts        = { security = "security@contoso.com" }
location        = "usgovvirginia"
prefix          = "chat"
subscription_id = "00000000-0000-0000-0000-000000000000"

# Groups are put into the roles afterwards, by a person (docs/deployment.md).
entra = {
  contact   = "the service desk (servicedesk@contoso.com)"
  tenant_id = "11111111-1111-1111-1111-111111111111"
}

model_accounts = {
  main = {
    location = "usgovvirginia"
    deployments = {
      chat       = { model = "gpt-5.1" }
      embeddings = { model = "text-embedding-3-small" }
    }
  }
}
