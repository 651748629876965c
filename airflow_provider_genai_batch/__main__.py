"""``python -m airflow_provider_genai_batch``: the commands of ``airflow genai-batch`` on any Airflow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_genai_batch.cli.definition import get_genai_batch_cli_commands


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command."""
    (group,) = get_genai_batch_cli_commands()
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_genai_batch", description=group.help)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in group.subcommands:
        one = commands.add_parser(command.name, help=command.help, description=command.help)
        for arg in command.args:
            arg.add_to_parser(one)
        one.set_defaults(func=command.func)
    args = parser.parse_args(argv)
    args.func(args)


if __name__ == "__main__":
    main()
