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

# Azure refuses what a region does not have, halfway through the first apply.
check "redundancy" {
  assert {
    condition     = !(var.zone_redundant && contains(local.cloud.regions_without_zones, var.location))
    error_message = "${var.location} had no availability zones when this version was made: write zone_redundant = false, or choose another region."
  }
  assert {
    condition     = !(var.geo_redundant && contains(local.cloud.regions_without_pair, var.location))
    error_message = "${var.location} had no paired region when this version was made: write geo_redundant = false, or choose another region."
  }
}
