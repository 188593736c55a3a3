"""The program: its commands, its global options, and how errors become words and exit codes."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from studio.cli.commands import (
    account,
    assistants,
    chat,
    contexts,
    conversations,
    dead_letters,
    logs,
    models,
    overview,
    projects,
    runs,
    trainings,
)
from studio.cli.errors import CliError, ExitCode
from studio.cli.program import Program, World, describe


class Commands(TyperGroup):
    """All commands; an error ends the program with its words and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CliError as error:
            describe(ctx.obj, error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    # A traceback with the values of variables could show a token.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, run and talk to the assistants of a Studio.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not signed in, 4 the Studio does not answer.",
)


@app.callback()
def prepare(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--context", "-c", help="Another context than the one in use.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show requests, without tokens.")] = False,
) -> None:
    """Train, run and talk to the assistants of a Studio."""
    world = context.obj if isinstance(context.obj, World) else World()
    context.obj = Program(world, name, verbose)


ACCOUNT, CONTENT, MODELS, WATCH = "Sign-in", "Content", "Training and models", "Conversations and state"

app.add_typer(contexts.app, name="config", rich_help_panel=ACCOUNT)
app.command("login", rich_help_panel=ACCOUNT)(account.login)
app.command("logout", rich_help_panel=ACCOUNT)(account.logout)
app.command("whoami", rich_help_panel=ACCOUNT)(account.whoami)
app.add_typer(assistants.app, name="assistants", rich_help_panel=CONTENT)
app.command("push", rich_help_panel=CONTENT)(projects.push)
app.command("pull", rich_help_panel=CONTENT)(projects.pull)
app.command("train", rich_help_panel=MODELS)(trainings.train)
app.add_typer(trainings.app, name="trainings", rich_help_panel=MODELS)
app.add_typer(runs.app, name="runs", rich_help_panel=MODELS)
app.command("logs", rich_help_panel=MODELS)(logs.logs)
app.add_typer(models.app, name="models", rich_help_panel=MODELS)
app.command("activate", rich_help_panel=MODELS)(models.activate)
app.command("chat", rich_help_panel=WATCH)(chat.chat)
app.add_typer(conversations.app, name="conversations", rich_help_panel=WATCH)
app.command("status", rich_help_panel=WATCH)(overview.status)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=WATCH)
app.command("completion", rich_help_panel=ACCOUNT)(contexts.completion)
app.command("version", rich_help_panel=ACCOUNT)(contexts.version)
