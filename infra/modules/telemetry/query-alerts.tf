# What goes wrong while the estate runs is told to the same people. Each question stands in alerts/, asked of
# the metrics that src/secure_openai/telemetry/names.py declares; Azure Monitor renames one attribute of
# requests (request/resultCode).
locals {
  _asked = {
    audit-unavailable  = { says = "The audit could not be written or read; what cannot be recorded is refused.", measure = "failed", operator = "GreaterThan", threshold = 0, severity = 1 }
    job-failing        = { says = "A job of the Function App did not end well, or left something undone; the next run goes on.", measure = "failed", operator = "GreaterThan", threshold = 0, severity = 2, by = ["job"] }
    pool-member-out    = { says = "An account of Azure OpenAI has not been asked for 15 minutes: it rests, or is cut off.", measure = "asked", operator = "LessThan", threshold = 1, severity = 2, by = ["member", "deployment"] }
    quota-near-its-end = { says = "A region has quota left for fewer than 10 units, which are thousands of tokens a minute for most models.", measure = "left", operator = "LessThan", threshold = 10, severity = 3, by = ["region", "quota"] }
    requests-failing   = { says = "More than 5 % of requests end in a fault of ours.", measure = "percent", operator = "GreaterThan", threshold = 5, severity = 1 }
    requests-refused   = { says = "More than half of the requests to models are refused by policy or quota.", measure = "percent", operator = "GreaterThan", threshold = 50, severity = 3 }
    seal-missing       = { says = "No seal of production's audit was written for a day.", measure = "written", operator = "LessThan", threshold = 1, severity = 1, window = "P1D", every = "PT1H" }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = local._asked

  name                 = "alert-${var.prefix}-${each.key}"
  resource_group_name  = var.resource_group_name
  location             = var.location
  display_name         = "${var.prefix}: ${each.key}"
  description          = each.value.says
  scopes               = [azurerm_log_analytics_workspace.this.id]
  severity             = each.value.severity
  evaluation_frequency = try(each.value.every, "PT15M")
  window_duration      = try(each.value.window, "PT15M")
  # It goes away by itself when what it tells of does.
  auto_mitigation_enabled = true
  # Nothing has been sent yet when the rule is made, and a table is not there before.
  skip_query_validation = true
  tags                  = var.tags

  criteria {
    query                   = file("${path.module}/alerts/${each.key}.kql")
    metric_measure_column   = each.value.measure
    time_aggregation_method = each.value.operator == "LessThan" ? "Minimum" : "Maximum"
    operator                = each.value.operator
    threshold               = each.value.threshold

    dynamic "dimension" {
      for_each = try(each.value.by, [])
      content {
        name     = dimension.value
        operator = "Include"
        values   = ["*"]
      }
    }
    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }
  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }
}
