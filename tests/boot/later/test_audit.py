"""What the appliance says of itself after a storm of mail, a power cut and a new start on a bigger disk."""

from testinfra.host import Host

PAGE = "/run/statement.pdf"


def test_every_row_of_the_data_policy_is_green(host: Host) -> None:
    audit = host.run("ksmg audit")
    assert audit.rc == 0, audit.stdout + audit.stderr


def test_the_statement_is_signed_by_this_appliance(host: Host) -> None:
    host.check_output(f"ksmg statement --format pdf --language fr --output {PAGE} --sign")
    host.check_output(f"ksmg statement verify {PAGE}")
    assert host.run(f"truncate --size=-1 {PAGE}; ksmg statement verify {PAGE}").rc != 0
