"""Commands with a second word (`bench encode`): one module a word, named in a table of purposes."""

import argparse
from collections.abc import Mapping
from importlib import import_module

Rows = argparse._SubParsersAction


def add_subcommands(parser: argparse.ArgumentParser, package: str, purposes: Mapping[str, str]) -> Rows:
    """Give `parser` one sub-command for every module of `package` named in `purposes`; returns them."""
    commands = parser.add_subparsers(dest="chosen", required=True, metavar="NAME")
    for name, purpose in purposes.items():
        module = import_module(f"{package}.{name}")
        command = commands.add_parser(name, help=purpose, description=purpose)
        module.add_arguments(command)
        command.set_defaults(run_chosen=module.run)
    return commands


def run_subcommand(arguments: argparse.Namespace) -> int:
    """Run the module that was chosen; returns its exit code."""
    return arguments.run_chosen(arguments)
