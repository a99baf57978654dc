"""What the statement says beside the data policy: channels, dumps, the licence, and what it cannot promise."""

CHANNELS = (
    "Mail: SMTP with STARTTLS, and SMTPS.",
    "Web interface: HTTPS only; the local administrator signs in with a password.",
    "Administration: SSH with keys, never with passwords.",
    "Between cluster nodes: HTTPS, each side authorised by a certificate. This version has no cluster yet.",
    "Diagnostic archives leave the appliance only by an administrator's own act.",
)
DUMPS_OFF = (
    "Dumps are off. They could hold any data, so only the superuser can switch them on, on the console of the "
    "appliance; never from the web."
)
DUMPS_ON = (
    "DUMPS ARE ON: the superuser switched them on, on the console of the appliance. What a crashed component had in "
    "its memory, of messages as well, is written to the disk until they are switched off."
)
LICENCE = (
    "The product is free software under the Apache License 2.0. It has no licence key, and sends nothing about its "
    "licence to anybody."
)
LIMITS = (
    "root can do everything. The appliance cannot restrict accounts of the operating system with its own tools: who "
    "may reach its storage is a matter of the operating system, and an administrator can check it with it.",
    "The web interface of this version shows its state and a locked page. The web permissions say what users will "
    "need.",
    "Deleted data is overwritten in the file system. Copies that were made below it, such as snapshots and backups "
    "of a virtual machine's disk or spare blocks of a solid-state disk, are out of the appliance's reach.",
    "Amounts are those of the moment at which each was measured. While mail flows, they change.",
    "The date is that of the appliance's clock. The signature proves which appliance made this page and that it was "
    "not altered, not that its facts still hold.",
)
CHECKING = (
    "With the signature file beside this one and the certificate of the site's authority (ca.crt), which came "
    "another way, on any machine: `ksmg statement verify FILE --authority ca.crt`, or with OpenSSL alone:"
)
