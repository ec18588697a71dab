# How the application does, on one page: a chart for each question in workbook/, over a day.
locals {
  _charts = {
    "1-requests"    = "Requests by status"
    "2-refusals"    = "Refusals by reason"
    "3-tokens"      = "Tokens by deployment"
    "4-first-token" = "Seconds to the first token: mean and slowest"
    "5-completions" = "Completions by account: mean seconds, and what failed"
    "6-pool"        = "Accounts: asked, under way, failed attempts"
    "7-quota"       = "Quota left by region"
    "8-stores"      = "Stores: mean milliseconds, and what failed"
    "9-audit"       = "Audit records that wait to be written"
    "9-jobs"        = "Jobs: runs, what failed, slowest in seconds"
  }
}

resource "azurerm_application_insights_workbook" "this" {
  # Azure wants a GUID for a name: the same one for the same workspace.
  name                = uuidv5("url", azurerm_log_analytics_workspace.this.name)
  resource_group_name = var.resource_group_name
  location            = var.location
  display_name        = "${var.prefix}: how the application does"
  source_id           = lower(azurerm_log_analytics_workspace.this.id)
  tags                = var.tags

  data_json = jsonencode({
    version  = "Notebook/1.0"
    isLocked = false
    items = [
      for key, title in local._charts : {
        type = 3
        name = key
        content = {
          version                 = "KqlItem/1.0"
          query                   = file("${path.module}/workbook/${key}.kql")
          title                   = title
          size                    = 0
          queryType               = 0
          resourceType            = "microsoft.operationalinsights/workspaces"
          crossComponentResources = [azurerm_log_analytics_workspace.this.id]
          timeContext             = { durationMs = 86400000 }
          visualization           = "timechart"
        }
      }
    ]
  })
}
