"""The operating system's side of the services: syslog, systemd's sockets and notifications, accounts."""
