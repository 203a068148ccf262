"""The machines: clients, settings, logging, metrics, the vault and the local stack."""
