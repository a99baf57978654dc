"""The least that each service's sandbox must be: a table of settings for all, and what single services need beside it.

Values are what `systemctl show` prints. Paths and accounts are not here: they come from the data policy.
"""

from collections.abc import Mapping

FLOOR: Mapping[str, str] = {
    "DevicePolicy": "closed",
    "DynamicUser": "no",
    "KeyringMode": "private",
    "LimitCORE": "0",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateIPC": "yes",
    "PrivateNetwork": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProcSubset": "pid",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RootDirectory": "",
    "RootImage": "",
    "SecureBits": "0",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "AmbientCapabilities": "",
    "CapabilityBoundingSet": "",
    "Environment": "",
    "RestrictAddressFamilies": "AF_UNIX",
    "SupplementaryGroups": "",
}
"""What every service of the policy has."""
LISTS = frozenset(
    {
        "AmbientCapabilities",
        "CapabilityBoundingSet",
        "Environment",
        "RestrictAddressFamilies",
        "SupplementaryGroups",
    }
)
"""Settings that give something with each word: they may be shorter than the table says, not longer."""
_NETWORK = {"PrivateNetwork": "no", "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6"}
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "ksmg-submit.service": {"SupplementaryGroups": "postdrop"},
    "rspamd.service": {**_NETWORK, "MemoryDenyWriteExecute": "no"},
    "postfix.service": {
        **_NETWORK,
        "User": "root",
        "RestrictAddressFamilies": "AF_UNIX AF_NETLINK AF_INET AF_INET6",
        "PrivateUsers": "no",
        "PrivateIPC": "no",
        "CapabilityBoundingSet": "cap_dac_override cap_dac_read_search cap_setgid cap_setuid cap_net_bind_service",
        "Environment": "MAIL_CONFIG=/etc/postfix",
    },
    "nginx.service": {
        **_NETWORK,
        "PrivateUsers": "no",
        "AmbientCapabilities": "cap_net_bind_service",
        "CapabilityBoundingSet": "cap_net_bind_service",
    },
}
"""What single services need instead. `User` root: the unit starts as root, and its account is that of its processes."""
MEANT_PATHS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "ksmg-submit.service": {
        "BindReadOnlyPaths": frozenset({"/var/spool/postfix/public:/run/ksmg-submit/postfix"}),
    },
    "postfix.service": {"ReadWritePaths": frozenset({"/var/lib/postfix"})},
    "opendkim.service": {"ReadWritePaths": frozenset({"/run/opendkim"})},
}
"""Paths that single services open beside the policy's places: their own state, and Postfix's doors."""
CREDENTIALS: Mapping[str, frozenset[str]] = {"nginx.service": frozenset({"web.crt", "web.key"})}
"""Files that systemd reads as root and hands to a service (LoadCredential=)."""
