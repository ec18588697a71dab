# The jump machine and the runner machine are the same kind of machine: no public address, no password,
# a measured boot, and a disk that is encrypted on its host.
locals {
  _machines = merge(
    var.jump_machine == null ? {} : {
      jump = { cloud_init = null, size = var.jump_machine.size, ssh_public_key = var.jump_machine.ssh_public_key, subnet = "administration" }
    },
    try(var.runner.machine, null) == null ? {} : {
      runner = {
        cloud_init = base64encode(templatefile("${path.module}/runner.cloud-init.yaml", {
          group        = var.runner.machine.group
          organization = var.runner.machine.organization
          sha256       = var.runner.machine.package_sha256
          version      = var.runner.machine.package_version
        }))
        size           = var.runner.machine.size
        ssh_public_key = var.runner.machine.ssh_public_key
        subnet         = "runner"
      }
    },
  )
}

resource "azurerm_network_interface" "machine" {
  for_each = local._machines

  name                = "nic-${var.prefix}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  ip_configuration {
    name                          = "private"
    subnet_id                     = var.subnet_ids[each.value.subnet]
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_disk_encryption_set" "this" {
  count = var.customer_managed_key == null || length(local._machines) == 0 ? 0 : 1

  name                      = "des-${var.prefix}"
  resource_group_name       = var.resource_group_name
  location                  = var.location
  key_vault_key_id          = var.customer_managed_key.key_id
  auto_key_rotation_enabled = true
  tags                      = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [var.customer_managed_key.identity_id]
  }
}

resource "azurerm_linux_virtual_machine" "this" {
  # checkov:skip=CKV_AZURE_50:the one extension that the jump machine has is what lets people sign in with Entra ID.
  for_each = local._machines

  name                = "vm-${var.prefix}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  size                = each.value.size
  # Not "operator": Ubuntu has a group of that name, and the user would not be made.
  admin_username                  = "estateadmin"
  disable_password_authentication = true
  encryption_at_host_enabled      = true
  secure_boot_enabled             = true
  vtpm_enabled                    = true
  provision_vm_agent              = true
  patch_mode                      = "AutomaticByPlatform"
  patch_assessment_mode           = "AutomaticByPlatform"
  reboot_setting                  = "IfRequired"
  custom_data                     = each.value.cloud_init
  network_interface_ids           = [azurerm_network_interface.machine[each.key].id]
  tags                            = var.tags

  bypass_platform_safety_checks_on_user_schedule_enabled = true

  admin_ssh_key {
    username   = "estateadmin"
    public_key = trimspace(each.value.ssh_public_key)
  }
  identity {
    type = "SystemAssigned"
  }
  os_disk {
    caching                = "ReadWrite"
    storage_account_type   = "Premium_LRS"
    disk_encryption_set_id = one(azurerm_disk_encryption_set.this[*].id)
  }
  source_image_reference {
    publisher = "Canonical"
    offer     = "ubuntu-24_04-lts"
    sku       = "server"
    version   = "latest"
  }
  boot_diagnostics {}
}

# People sign in to the jump machine with Entra ID; the key above is for the day that Entra is away.
resource "azurerm_virtual_machine_extension" "entra_sign_in" {
  count = var.jump_machine == null ? 0 : 1

  name                       = "AADSSHLoginForLinux"
  virtual_machine_id         = azurerm_linux_virtual_machine.this["jump"].id
  publisher                  = "Microsoft.Azure.ActiveDirectory"
  type                       = "AADSSHLoginForLinux"
  type_handler_version       = "1.0"
  auto_upgrade_minor_version = true
  tags                       = var.tags
}

resource "azurerm_role_assignment" "jump_sign_in" {
  for_each = toset(var.jump_machine == null ? [] : var.jump_machine.administrators)

  scope                = azurerm_linux_virtual_machine.this["jump"].id
  role_definition_name = "Virtual Machine User Login"
  principal_id         = each.value
  principal_type       = "Group"
  description          = "sign in to the jump machine"
}

resource "azurerm_dev_test_global_vm_shutdown_schedule" "jump" {
  count = var.jump_machine == null ? 0 : 1

  virtual_machine_id    = azurerm_linux_virtual_machine.this["jump"].id
  location              = var.location
  daily_recurrence_time = var.jump_machine.shutdown_at
  timezone              = var.jump_machine.time_zone
  enabled               = true
  tags                  = var.tags

  notification_settings {
    enabled = false
  }
}
