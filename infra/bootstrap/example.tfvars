# What an owner fills in once; docs/deployment.md says who needs which right, `az account show` the ids.
budget               = { monthly = 1500, start_date = "2026-12-01T00:00:00Z" }
contact              = "security@contoso.com"
customer_managed_key = {}
location             = "swedencentral"
prefix               = "chat"
repository           = "contoso/azure-secure-openai"
subscription_id      = "00000000-0000-0000-0000-000000000000"
tenant_id            = "11111111-1111-1111-1111-111111111111"

# The workspace of whoever watches the organisation. Where there is none, leave this line out: one is made.
log_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-security/providers/Microsoft.OperationalInsights/workspaces/log-security"

# Two doors, open to everybody who has a token of Entra ID with the right role. Name your own addresses in
# address_allow_list instead where you can.
state    = { public_because = "Terraform runs on machines whose addresses nobody can list; Entra ID is the lock" }
packages = { public_because = "pipelines run on machines whose addresses nobody can list; Entra ID is the lock" }
