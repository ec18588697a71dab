"""The stores in Azure Cosmos DB, opened with a credential and never with a key."""
