# A chat on one machine: a password, a public address, SSH open to everybody by inline rules, and the
# model's key in what the machine starts with. A second door stands in a load balancer.
provider "azurerm" {
  features {}
}

locals {
  name = "vm-chat"
}

resource "azurerm_resource_group" "all" {
  name     = "rg-${local.name}"
  location = "westus3"
}

resource "azurerm_virtual_network" "all" {
  name                = "vnet-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  address_space       = ["192.168.0.0/24"]
}

resource "azurerm_subnet" "machine" {
  name                            = "machine"
  resource_group_name             = azurerm_resource_group.all.name
  virtual_network_name            = azurerm_virtual_network.all.name
  address_prefixes                = ["192.168.0.0/26"]
  default_outbound_access_enabled = false
}

resource "azurerm_network_security_group" "machine" {
  name                = "nsg-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location

  security_rule {
    name                       = "web"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = "Internet"
    source_port_range          = "*"
    destination_port_ranges    = ["80", "443"]
    destination_address_prefix = "*"
  }
  # Everybody, in two halves.
  security_rule {
    name                       = "ssh"
    priority                   = 110
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefixes    = ["0.0.0.0/1", "128.0.0.0/1"]
    source_port_range          = "*"
    destination_port_range     = "22"
    destination_address_prefix = "*"
  }
}

resource "azurerm_network_interface_security_group_association" "machine" {
  network_interface_id      = azurerm_network_interface.machine.id
  network_security_group_id = azurerm_network_security_group.machine.id
}

resource "azurerm_public_ip" "all" {
  for_each = toset(["balancer", "machine"])

  name                = "pip-${each.key}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  allocation_method   = "Static"
}

resource "azurerm_network_interface" "machine" {
  name                = "nic-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location

  ip_configuration {
    name                          = "first"
    subnet_id                     = azurerm_subnet.machine.id
    private_ip_address_allocation = "Dynamic"
    primary                       = true
  }
  ip_configuration {
    name                          = "second"
    subnet_id                     = azurerm_subnet.machine.id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = azurerm_public_ip.all["machine"].id
  }
}

resource "azurerm_lb" "all" {
  name                = "lb-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  sku                 = "Standard"

  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = azurerm_public_ip.all["balancer"].id
  }
}

resource "azurerm_cognitive_account" "model" {
  name                  = "oai-${local.name}"
  custom_subdomain_name = "oai-${local.name}"
  resource_group_name   = azurerm_resource_group.all.name
  location              = azurerm_resource_group.all.location
  kind                  = "OpenAI"
  sku_name              = "S0"
}

# A filter in name only: it annotates, and lets the answer run ahead of it.
resource "azurerm_cognitive_account_rai_policy" "none" {
  name                 = "none"
  cognitive_account_id = azurerm_cognitive_account.model.id
  base_policy_name     = "Microsoft.Default"
  mode                 = "Asynchronous_filter"

  content_filter {
    name               = "Hate"
    source             = "Prompt"
    filter_enabled     = true
    block_enabled      = false
    severity_threshold = "High"
  }
}

resource "azurerm_cognitive_deployment" "chat" {
  name                   = "chat"
  cognitive_account_id   = azurerm_cognitive_account.model.id
  rai_policy_name        = azurerm_cognitive_account_rai_policy.none.name
  version_upgrade_option = "NoAutoUpgrade"

  model {
    format  = "OpenAI"
    name    = "gpt-4o"
    version = "2024-11-20"
  }
  sku {
    name = "Standard"
  }
}

resource "azurerm_linux_virtual_machine" "chat" {
  name                            = local.name
  resource_group_name             = azurerm_resource_group.all.name
  location                        = azurerm_resource_group.all.location
  size                            = "Standard_B2s"
  admin_username                  = "chat"
  admin_password                  = "Chat-with-me-2024"
  disable_password_authentication = false
  network_interface_ids           = [azurerm_network_interface.machine.id]

  custom_data = base64encode(<<-START
    #cloud-config
    write_files:
      - path: /etc/chat.env
        content: OPENAI=${azurerm_cognitive_account.model.primary_access_key}
  START
  )
  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Standard_LRS"
  }
  source_image_reference {
    publisher = "Canonical"
    offer     = "ubuntu-24_04-lts"
    sku       = "server"
    version   = "latest"
  }
}

resource "azurerm_virtual_machine_extension" "start" {
  name                 = "start"
  virtual_machine_id   = azurerm_linux_virtual_machine.chat.id
  publisher            = "Microsoft.Azure.Extensions"
  type                 = "CustomScript"
  type_handler_version = "2.1"
  settings = jsonencode({
    commandToExecute = "OPENAI_API_KEY=${azurerm_cognitive_account.model.secondary_access_key} /opt/chat/run"
  })
}

output "login" {
  value     = { host = azurerm_public_ip.all["machine"].ip_address, user = "chat", password = "Chat-with-me-2024" }
  sensitive = true
}
