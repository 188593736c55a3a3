"""Signing in and out, and who one is."""

import functools
from typing import Annotated, Any

import typer

from studio.cli.errors import CliError, NotSignedIn
from studio.cli.formats import Format
from studio.cli.options import Output, program_of
from studio.cli.program import Program


def login(
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Sign in with a code that is confirmed in a browser, on this machine or another one."""
    from studio.cli.login import Failed, State, Waiting, advance, begin
    from studio.cli.tokens import Session

    program = program_of(context)
    world, studio = program.world, program.studio
    issuer, client_id = str(studio["issuer"]), str(studio["cli_client_id"])
    provider = program.provider(issuer)
    state: State = begin(provider.start_device_flow(client_id), world.clock())
    if isinstance(state, Waiting):
        _invite(program, state, browser=browser)
    while isinstance(state, Waiting):
        world.sleep(max(state.next_at - world.clock(), 0.0))
        state = advance(state, provider.poll(client_id, state.device_code), world.clock())
    if isinstance(state, Failed):
        raise _sign_in_failure(state)
    tokens = state.tokens
    session = Session(
        program.context.url, issuer, client_id, tokens.access_token, tokens.expires_at, tokens.refresh_token
    )
    with program.tokens.locked(sleep=world.sleep):
        program.tokens.write(program.context, session)
    me = program.api.get("/me")
    program.say(f"Signed in to {program.context.url} as {me.get('username') or me.get('subject')}.")


def logout(context: typer.Context) -> None:
    """End the session here and at the identity provider."""
    program = program_of(context)
    with program.tokens.locked(sleep=program.world.sleep):
        session = program.tokens.read(program.context)
        program.tokens.forget(program.context)
    if session is None:
        program.say("Nobody was signed in.")
        return
    ended = False
    if session.refresh_token:
        try:
            ended = program.provider(session.issuer).revoke(session.client_id, session.refresh_token)
        except CliError as error:
            program.say(f"warning: {error.title}: {error.detail}")
    program.say("Signed out." if ended else "Signed out here; the identity provider did not confirm.")


def whoami(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Who is signed in, with which roles, for which assistants."""
    from studio.cli import render

    program = program_of(context)
    me = program.api.get("/me")
    render.emit(program, output, me, lambda: render.sheet(_facts(program, me)))


def _facts(program: Program, me: dict[str, Any]) -> list[tuple[str, Any]]:
    named = me.get("assistants")
    return [
        ("studio", program.context.url),
        ("username", me.get("username") or me.get("subject")),
        ("name", me.get("name")),
        ("email", me.get("email")),
        ("roles", ", ".join(me.get("roles") or []) or "none"),
        ("assistants", "all" if named is None else ", ".join(named) or "none"),
        ("may", ", ".join(me.get("permissions") or []) or "nothing"),
    ]


def _invite(program: Program, state: Any, *, browser: bool) -> None:
    address = state.verification_uri_complete or state.verification_uri
    program.say(f"To sign in, open {state.verification_uri} and enter the code {state.user_code}")
    if state.verification_uri_complete:
        program.say(f"or open {state.verification_uri_complete}")
    program.say("Waiting for the confirmation …")
    safe = str(address).startswith(("https://", "http://"))
    if browser and safe and program.interactive:
        program.world.open_browser(address)


def _sign_in_failure(state: Any) -> CliError:
    make = functools.partial(NotSignedIn, "The sign-in failed", f"{state.message}.")
    return (
        make(remedy="Try again with `studio login`.") if state.reason in ("expired_token", "access_denied") else make()
    )
