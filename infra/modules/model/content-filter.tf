# The filter that every deployment gets: harm at every severity from "Low" on is stopped in prompts and
# in answers alike, prompt shields are on for direct and for indirect attacks.
# Source: Microsoft Learn, "Content filtering for Azure OpenAI in Microsoft Foundry Models".
locals {
  _harms   = ["Hate", "Selfharm", "Sexual", "Violence"]
  _shields = { "Indirect Attack" = "Prompt", "Jailbreak" = "Prompt", "Protected Material Code" = "Completion", "Protected Material Text" = "Completion" }
  # Azure keeps the filters of a policy in the order in which they were sent.
  _filters = concat(
    flatten([for harm in local._harms : [for source in ["Prompt", "Completion"] : { name = harm, source = source, severity = var.content_filter.severity }]]),
    [for name, source in local._shields : { name = name, source = source, severity = null }],
  )
}

resource "azurerm_cognitive_account_rai_policy" "this" {
  for_each = var.accounts

  name                 = "secure-openai"
  cognitive_account_id = azurerm_cognitive_account.this[each.key].id
  base_policy_name     = "Microsoft.DefaultV2"
  mode                 = "Default"
  tags                 = var.tags

  dynamic "content_filter" {
    for_each = local._filters
    content {
      name               = content_filter.value.name
      source             = content_filter.value.source
      severity_threshold = content_filter.value.severity
      filter_enabled     = true
      block_enabled      = true
    }
  }
}
