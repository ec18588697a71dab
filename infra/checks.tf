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

# What a region offers changes by the month; what no region of the cloud was known to offer is worth a look.
locals {
  _not_offered = flatten([
    for account, one in local.accounts : [
      for name, asked in one.deployments : "${account}'s ${name} is ${asked.model} as ${asked.sku}, which was offered as ${join(" or ", coalescelist(local.models.models[asked.model].skus[var.cloud], ["nothing"]))}"
      if can(local.models.models[asked.model].skus) && contains(local.models.skus.judged, asked.sku) && !try(contains(local.models.models[asked.model].skus[var.cloud], asked.sku), true)
    ]
  ])
}

check "skus" {
  assert {
    condition     = length(local._not_offered) == 0
    error_message = "When this version was made, in the ${var.cloud} cloud: ${join("; ", local._not_offered)}. See what a region offers now: az cognitiveservices model list --location REGION."
  }
}
