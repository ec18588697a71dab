# Terraform drops what an object type does not know without a word. Each object is therefore taken as it
# was written, given its type by the module below, and refused if something of it got lost on the way.
module "inputs" {
  source = "./modules/inputs"

  cloud                         = local.cloud
  content_filter                = var.content_filter
  cosmos                        = var.cosmos
  customer_managed_key          = var.customer_managed_key
  edge                          = var.edge
  entra                         = var.entra
  model_accounts                = var.model_accounts
  network                       = var.network
  operations                    = var.operations
  plan                          = var.plan
  public_network_access_enabled = var.public_network_access_enabled
  seals                         = var.seals
}

locals {
  accounts   = module.inputs.model_accounts
  cosmos     = module.inputs.cosmos
  edge       = module.inputs.edge
  entra      = module.inputs.entra
  network    = module.inputs.network
  operations = module.inputs.operations

  _objects = {
    written = {
      content_filter = var.content_filter, cosmos = var.cosmos, customer_managed_key = var.customer_managed_key
      edge           = var.edge, entra = var.entra, model_accounts = var.model_accounts, network = var.network
      operations     = var.operations, plan = var.plan, seals = var.seals
    }
    understood = module.inputs
  }
  # Every path in them, such as operations.runner.machine.size, down to four levels: none goes deeper.
  _level_1 = { for side, all in local._objects : side => merge([for path, one in all : { for key in try(keys(one), []) : "${path}.${key}" => one[key] }]...) }
  _level_2 = { for side, all in local._level_1 : side => merge([for path, one in all : { for key in try(keys(one), []) : "${path}.${key}" => one[key] }]...) }
  _level_3 = { for side, all in local._level_2 : side => merge([for path, one in all : { for key in try(keys(one), []) : "${path}.${key}" => one[key] }]...) }
  _level_4 = { for side, all in local._level_3 : side => merge([for path, one in all : { for key in try(keys(one), []) : "${path}.${key}" => one[key] }]...) }
  _paths   = { for side in ["written", "understood"] : side => flatten([for level in [local._level_1, local._level_2, local._level_3, local._level_4] : keys(level[side])]) }

  misspelt = [
    for path in sort(setsubtract(local._paths.written, local._paths.understood)) :
    "${path} does not exist: ${local._parents[path]} takes ${join(", ", [
      for known in local._paths.understood : trimprefix(known, "${local._parents[path]}.")
      if startswith(known, "${local._parents[path]}.") && !strcontains(trimprefix(known, "${local._parents[path]}."), ".")
    ])}"
  ]
  _parents = { for path in local._paths.written : path => trimsuffix(path, ".${reverse(split(".", path))[0]}") }
}
