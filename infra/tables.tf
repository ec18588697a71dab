# What Python and Terraform must agree on stands once, in JSON beside the Python code.
locals {
  _tables    = "${path.module}/../src/secure_openai/tables"
  cloud      = jsondecode(file("${local._tables}/clouds.json"))[var.cloud]
  containers = jsondecode(file("${local._tables}/containers.json"))
  jobs       = jsondecode(file("${local._tables}/jobs.json"))
  models     = jsondecode(file("${local._tables}/models.json"))
  roles      = jsondecode(file("${local._tables}/roles.json"))
  settings   = jsondecode(file("${local._tables}/settings.json"))
}
