"""What the verbs need to know of this appliance: its policy and settings, read as root or as the gateway's account."""

from dataclasses import dataclass
from functools import cached_property

from ksmg.cli.command_trace import start_command_traces
from ksmg.policy import DataPolicy, Location, load_policy
from ksmg.settings import Settings, load_settings
from ksmg.stores.locations import gateway_account, settings_file
from ksmg.system.account import become, caller


@dataclass(frozen=True)
class Appliance:
    """This appliance, as seen by whoever gave the command."""

    policy: DataPolicy
    settings: Settings
    settings_found: bool
    caller: str

    @cached_property
    def certificates(self) -> Location:
        """Where certificates and their keys are kept."""
        return self._mta("tls")

    @cached_property
    def dkim_keys(self) -> Location:
        """Where DKIM keys are kept."""
        return self._mta("dkim")

    def _mta(self, name: str) -> Location:
        return next(found for found in self.policy.row("mta_settings").locations if found.place.name == name)


def appliance() -> Appliance:
    """Reads policy and settings, as the caller. Raises PolicyError or SettingsError."""
    policy = load_policy()
    settings = load_settings(settings_file(policy))
    here = Appliance(policy, settings or Settings({}), settings is not None, caller())
    start_command_traces(here.policy, here.settings)
    return here


def store_appliance() -> Appliance:
    """The same for verbs that open stores: root becomes the gateway's account first. Raises WrongAccount as well."""
    who = caller()
    become(gateway_account(load_policy()))
    here = appliance()
    return Appliance(here.policy, here.settings, here.settings_found, who)
