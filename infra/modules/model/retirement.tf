# A pinned version that retires stops answering on a known day.
locals {
  _dated = {
    for key, one in local.deployments : key => {
      model   = one.model
      retires = var.models[one.model].retires
      instead = var.models[one.model].instead
    }
    if contains(keys(var.models), one.model) && (one.version == null || one.version == try(var.models[one.model].version, null))
  }
  _retiring = [
    for key, one in local._dated : "${key}'s ${one.model} on ${one.retires}${one.instead == null ? "" : " (then ${one.instead})"}"
    if timecmp("${one.retires}T00:00:00Z", timeadd(plantimestamp(), "1440h")) <= 0
  ]
}

check "retirement" {
  assert {
    condition     = length(local._retiring) == 0
    error_message = "Within 60 days Azure retires ${join("; ", local._retiring)}. Deploy its successor beside it, and move over."
  }
}
