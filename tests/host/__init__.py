"""What a running appliance must be: Testinfra over SSH, on any appliance (`pytest tests/host --hosts=ssh://root@ADDRESS`)."""
