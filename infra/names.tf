# Globally unique names end with a suffix, so that an estate can be destroyed and made again while
# Azure still keeps the old names for recovery.
resource "random_string" "suffix" {
  length  = 5
  upper   = false
  special = false
}

locals {
  suffix = random_string.suffix.result
  tags   = merge({ application = "azure-secure-openai", estate = var.prefix }, var.tags)

  app_names = {
    functions = "func-${var.prefix}-${local.suffix}"
    web       = "app-${var.prefix}-${local.suffix}"
  }
  web_hosts = {
    production = "${local.app_names.web}.${local.cloud.app_service_domain}"
    staging    = "${local.app_names.web}-staging.${local.cloud.app_service_domain}"
  }
  public_urls = {
    production = local.edge == null ? "https://${local.web_hosts.production}" : "https://${local.edge.host_name}"
    staging    = "https://${local.web_hosts.staging}"
  }
}
