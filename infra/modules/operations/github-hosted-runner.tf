# GitHub's own machines, placed in our subnet. The organisation's side, a network configuration that
# names this resource's GitHubId, is a step in GitHub (docs/deployment.md).
resource "azapi_resource" "github_network" {
  count = try(var.runner.github_hosted, null) == null ? 0 : 1

  type                      = "GitHub.Network/networkSettings@2024-04-02"
  name                      = "github-${var.prefix}"
  parent_id                 = var.protected_group_ids["application"]
  location                  = var.location
  schema_validation_enabled = false
  tags                      = var.tags

  body = {
    properties = {
      businessId = var.runner.github_hosted.organization_id
      subnetId   = var.subnet_ids["runner"]
    }
  }
  response_export_values = ["tags.GitHubId"]

  lifecycle {
    # GitHub writes its id into a tag.
    ignore_changes = [tags]
  }
}
