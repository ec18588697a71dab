# What an owner fills in once; see docs/quickstart.md and `az account show`.
budget               = { monthly = 1500, start_date = "2026-12-01T00:00:00Z" }
contact              = "security@contoso.com"
customer_managed_key = {}
location             = "swedencentral"
prefix               = "chat"
repository           = "contoso/azure-secure-openai"
subscription_id      = "00000000-0000-0000-0000-000000000000"
tenant_id            = "11111111-1111-1111-1111-111111111111"
