"""The effective-access verifier: what each account and each service can really do with the policy's places."""
