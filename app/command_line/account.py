"""`account`: who may sign in to the page. No password stands on the command line, where others can see it."""

import argparse
import getpass
import os
import sys
from dataclasses import asdict
from pathlib import Path

from app.command_line import printing
from app.command_line.arguments import add_json
from app.command_line.opening import data_folder
from engine.arguments import positive
from engine.shelf.accounts import Account, Accounts
from ingest.errors import BadInput

ENVIRONMENT = "LONGMEM_PASSWORD"
ACTIONS = {
    "list": "accounts, their limits and the labels of their tokens",
    "add": "a further account",
    "password": "another password: all sessions of the account end",
    "token": "a token for a program that calls the page's interface; it is shown once",
    "revoke": "take a token back",
    "limit": "what the account may ask of the page",
    "remove": "an account; its books stay",
}
LIMITS = {
    "books": "on the shelf",
    "megabytes": "of files and memories",
    "uploads": "at once",
    "tokens": "in one request",
    "questions": "under way or waiting",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command for each action."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, words in ACTIONS.items():
        made = actions.add_parser(name, help=words, description=words)
        add_json(made)
        if name != "list":
            made.add_argument("name", metavar="NAME", help="of the account")
        if name in ("add", "password"):
            made.add_argument(
                "--password-file", metavar="FILE", type=Path,
                help=f"its first line is the password (default: {ENVIRONMENT}, or you are asked for it)",
            )  # fmt: skip
        if name in ("token", "revoke"):
            made.add_argument("label", metavar="LABEL", help="what the token is for")
        if name == "limit":
            for limit, what in LIMITS.items():
                made.add_argument(f"--{limit}", type=positive, metavar="N", help=what)


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked of the accounts; returns the exit code."""
    paths = data_folder()
    accounts = Accounts(paths.accounts, paths.locks)
    said: dict = {"account": getattr(arguments, "name", None), "action": arguments.action}
    if arguments.action == "list":
        said = {"accounts": [_shown(one) for one in accounts.all().values()]}
    elif arguments.action == "add":
        accounts.add(arguments.name, _password(arguments))
    elif arguments.action == "password":
        accounts.get(arguments.name)
        accounts.set_password(arguments.name, _password(arguments))
    elif arguments.action == "token":
        said["token"] = accounts.grant(arguments.name, arguments.label)
    elif arguments.action == "revoke":
        accounts.revoke(arguments.name, arguments.label)
    elif arguments.action == "remove":
        accounts.remove(arguments.name)
    else:
        asked = {name: value for name in LIMITS if (value := getattr(arguments, name)) is not None}
        said["limits"] = asdict(accounts.limit(arguments.name, **asked))
    if arguments.json:
        printing.print_json(said, arguments.results)
    else:
        _say(said)
    return 0


def _say(said: dict) -> None:
    if "accounts" in said:
        for one in said["accounts"]:
            limits = ", ".join(f"{value} {name}" for name, value in one["limits"].items())
            print(f"{one['name']}: {limits}; tokens: {', '.join(one['tokens']) or 'none'}")
        if not said["accounts"]:
            print("there are no accounts: the page asks nobody who they are", file=sys.stderr)
    elif "token" in said:
        print(said["token"])
    elif "limits" in said:
        print(", ".join(f"{value} {name}" for name, value in said["limits"].items()))
    elif said["action"] == "add":
        print(f"{said['account']} can sign in; an open page asks from its next start on")
    else:
        print(f"{said['account']}: done")


def _shown(account: Account) -> dict:
    return {"name": account.name, "limits": asdict(account.limits), "tokens": sorted(account.tokens)}


def _password(arguments: argparse.Namespace) -> str:
    if arguments.password_file is not None:
        try:
            lines = arguments.password_file.expanduser().read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError, RuntimeError) as error:
            raise BadInput(f"{arguments.password_file} cannot be read: {error}") from error
        return lines[0] if lines else ""
    if ENVIRONMENT in os.environ:
        return os.environ[ENVIRONMENT]
    if not sys.stdin.isatty():
        raise BadInput(f"nobody can be asked for a password here: give --password-file, or set {ENVIRONMENT}")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Once more: "):
        raise BadInput("the two are not the same: start again")
    return first
