"""`tinker auth`."""

from __future__ import annotations

import sys

import click

from tinker.cli.groups import Group
from tinker.cli.state import State
from tinker.cli.texts import optional


@click.group(cls=Group)
def auth() -> None:
    """Log in and out. Credentials are stored in ~/.tinker/credentials.json, as the official command stores them."""


@auth.command("login", epilog="\b\nExamples:\n  tinker auth login\n  tinker auth login < key.txt")
@click.pass_obj
def login(state: State) -> None:
    """Store an API key, after the server has confirmed it."""
    from tinker.cli import credentials  # noqa: PLC0415  # imported when used

    store = credentials.Store.open()
    if store.default is not None:
        raise click.ClickException("You are logged in already; run `tinker auth logout` first.")
    state.say(f"Create an API key: {credentials.new_key_url()}")
    key = _key()
    details = credentials.check(key, state.base_url)
    store.add(key, details)
    owner = details.details
    user = owner.user_details.email if owner and owner.user_details else "unknown"
    organization = owner.org_details.name if owner and owner.org_details else "unknown"
    state.say(f"Logged in as {user} ({organization}); the API key {details.name!r} is stored.")
    if state.is_json:
        state.print_json(
            {
                "key_id": details.key_id,
                "name": details.name,
                "email": user,
                "organization": organization,
            }
        )


def _key() -> str:
    """The key that a person pastes, or the first line of a pipe."""
    if sys.stdin.isatty():
        pasted: str = click.prompt("Paste your API key", hide_input=True, err=True)
        return pasted.strip()
    key = sys.stdin.readline().strip()
    if not key:
        raise click.ClickException(
            "Standard input has no API key; run this in a terminal to paste one."
        )
    return key


@auth.command("logout", epilog="\b\nExample:\n  tinker auth logout")
@click.pass_obj
def logout(state: State) -> None:
    """Forget the stored API key; a key that was made for this machine alone is deleted on the server too."""
    from tinker.cli import credentials  # noqa: PLC0415

    store = credentials.Store.open()
    if store.default is None:
        raise click.ClickException("No credential is stored; `tinker auth login` stores one.")
    removed = store.remove_default()
    if removed.get("type") == "generated":
        credentials.delete_on_server(str(removed["key"]), state.base_url)
        state.say(f"Removed the credential {removed.get('name')!r} here and on the server.")
    else:
        state.say(
            f"Removed the credential {removed.get('name')!r} from this machine. The API key still works: "
            f"delete it at {credentials.KEYS_URL} if nothing else uses it."
        )
    if state.is_json:
        state.print_json({"name": removed.get("name")})


@auth.command("status", epilog="\b\nExample:\n  tinker auth status")
@click.pass_obj
def status(state: State) -> None:
    """Say whether there is a credential, and whether the server takes it."""
    from tinker.auth import tinker_has_credentials  # noqa: PLC0415

    available = tinker_has_credentials()
    accessible, reason = False, None
    needed = not state.rest_is_local
    if available or not needed:
        try:
            state.rest._check_accessible()
            accessible = True
        except Exception as error:  # noqa: BLE001  # told below
            reason = error
    if state.is_json:
        state.print_json({"credentials": available, "accessible": accessible})
    else:
        click.echo(f"Credentials available: {'yes' if available else 'no'}")
        if available or not needed:
            click.echo(f"Tinker accessible: {'yes' if accessible else 'no'}")
    if needed and not available:
        raise click.ClickException("No credential: run `tinker auth login`, or set TINKER_API_KEY.")
    if reason is not None:
        raise reason


@auth.command("whoami", epilog="\b\nExample:\n  tinker auth whoami")
@click.pass_obj
def whoami(state: State) -> None:
    """Show the user and the organization of the credential."""
    identity = state.rest.whoami().result()
    properties = {
        "Email": optional(identity.email),
        "User": identity.user_urn,
        "Organization": identity.org_urn,
    }
    state.show_properties(identity, properties)
