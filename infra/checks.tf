# What is probably a mistake warns; Azure opens regions faster than a list is kept.
locals {
  _regions = setunion(
    [var.location],
    [for account in local.accounts : account.location],
    local.cosmos.failover_locations,
  )
  _unknown_regions = setsubtract(local._regions, local.cloud.regions)
}

check "regions" {
  assert {
    condition     = length(local._unknown_regions) == 0
    error_message = "Not a region that this version knows in the ${var.cloud} cloud: ${join(", ", local._unknown_regions)}. Check the spelling with: az account list-locations."
  }
}
