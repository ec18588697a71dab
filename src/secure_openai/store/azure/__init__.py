"""What Azure Storage keeps and Key Vault signs, reached with a credential and never with a key."""
