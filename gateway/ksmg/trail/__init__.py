"""The audit trail beside the gateway's own events: what logs and files of the system tell, and signed checkpoints."""
