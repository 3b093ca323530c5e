"""`tandem net` and `tandem validator`: breaking a running chain on purpose."""

from typing import Any

import click

from node.command_options import CommandGroup, for_running_chain
from node.running_chain import ask


class _Validator(click.ParamType[int]):
    """A validator by its number, or by the name that `tandem status` gives it."""

    name = "validator"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = str(value).removeprefix("validator-")
        if not (number.isascii() and number.isdecimal()):
            raise click.BadParameter(f"{value!r} is no validator: give its number, such as 2", ctx)
        return int(number)


VALIDATOR = _Validator()


class _ShownByDefault(CommandGroup):
    """A group that means `show` where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = any(word in self.commands for word in args) or (args[:1] and not args[0].startswith("-"))
        own = ctx.resilient_parsing or (args[:1] and args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named or own else ["show", *args])


@click.group(cls=_ShownByDefault, short_help="Break the network between the validators, or show what is broken.")
def net() -> None:
    """Break the network between the validators on purpose, or show what is broken.

    Faults last until healed or until the chain ends, whatever restarts. They touch only what validators say to each
    other: transactions still reach all of them, and execution still hears from them.
    """


@net.command(short_help="Show the faults in force; `tandem net` alone does too.")
@for_running_chain
def show(url: str) -> None:
    """Show the faults in force."""
    _say(ask(url, "tandem_network"))


@net.command(short_help="Cut groups of validators off from each other.")
@click.argument("groups", nargs=-1, required=True, metavar="GROUP [/ GROUP]...")
@click.option("--one-way", is_flag=True, help="Lose only what the first group says; it still hears the other.")
@for_running_chain
def partition(url: str, groups: tuple[str, ...], one_way: bool) -> None:
    """Cut groups of validators off from each other; those not named form one more group.

    \b
    tandem net partition 0,1 / 2,3
    tandem net partition 2                  # 2 against all others
    tandem net partition --one-way 0 / 1,2,3  # nobody hears 0, which hears all
    """
    _say(ask(url, "tandem_partition", _indices(groups), one_way))


@net.command(short_help="End every fault of the network.")
@for_running_chain
def heal(url: str) -> None:
    """End every fault of the network: the partition, all delays and all losses."""
    _say(ask(url, "tandem_heal"))


@net.command(short_help="Delay what a validator says and hears.")
@click.argument("validator", type=VALIDATOR)
@click.argument("duration")
@for_running_chain
def delay(url: str, validator: int, duration: str) -> None:
    """Delay all that VALIDATOR says to the others and hears from them by DURATION, such as 200ms; 0ms ends that."""
    _say(ask(url, "tandem_setDelay", validator, duration))


@net.command(short_help="Lose some of what a validator says and hears.")
@click.argument("validator", type=VALIDATOR)
@click.argument("percentage")
@for_running_chain
def drop(url: str, validator: int, percentage: str) -> None:
    """Lose PERCENTAGE, such as 30%, of all that VALIDATOR says to the others and hears from them; 0% ends that."""
    _say(ask(url, "tandem_setDropRate", validator, percentage))


@click.group(cls=CommandGroup, short_help="Kill, pause, resume or restart a validator, or have it lie.")
def validator() -> None:
    """Break a validator of a running chain on purpose."""


@validator.command(short_help="Kill its process, which stays down.")
@click.argument("validator", type=VALIDATOR)
@for_running_chain
def kill(url: str, validator: int) -> None:
    """Kill VALIDATOR's process with SIGKILL. It stays down until `tandem validator restart`."""
    _say_state(ask(url, "tandem_killValidator", validator))


@validator.command(short_help="Stop its process where it is.")
@click.argument("validator", type=VALIDATOR)
@for_running_chain
def pause(url: str, validator: int) -> None:
    """Stop VALIDATOR's process with SIGSTOP: it keeps its connections and says nothing."""
    _say_state(ask(url, "tandem_pauseValidator", validator))


@validator.command(short_help="Let a paused one go on.")
@click.argument("validator", type=VALIDATOR)
@for_running_chain
def resume(url: str, validator: int) -> None:
    """Let VALIDATOR, which was paused, go on."""
    _say_state(ask(url, "tandem_resumeValidator", validator))


@validator.command(short_help="Kill its process if it runs, and start it.")
@click.argument("validator", type=VALIDATOR)
@for_running_chain
def restart(url: str, validator: int) -> None:
    """Kill VALIDATOR's process if it runs, and start it: what it knows is what is on its disk."""
    _say_state(ask(url, "tandem_restartValidator", validator))


@validator.command(short_help="Have it sign two different proposals.")
@click.argument("validator", type=VALIDATOR)
@click.option("--turns", type=click.IntRange(1), default=1, show_default=True, help="How often it leads and lies.")
@for_running_chain
def equivocate(url: str, validator: int, turns: int) -> None:
    """Have VALIDATOR, when it leads next, sign two different proposals, send one to each half of the others, and vote
    for both. Then, or when it is restarted, it is honest again.
    """
    turns = ask(url, "tandem_equivocate", validator, turns)["equivocatingTurns"]
    when = "its next turn" if turns == 1 else f"its next {turns} turns"
    click.echo(f"validator {validator} signs two different proposals in {when}")


def network_lines(network: dict[str, Any]) -> list[str]:
    """The faults in force, a line each; none for a whole network."""
    lines = []
    parts = network["partition"]
    if parts is not None:
        arrow = " > " if parts["oneWay"] else " / "
        shown = arrow.join(",".join(map(str, group)) for group in parts["groups"])
        meaning = "what the first say does not arrive" if parts["oneWay"] else "nothing passes between them"
        lines.append(f"partition   {shown}   {meaning}")
    lines += [f"delay       validator {d['validator']}: {d['milliseconds']}ms" for d in network["delays"]]
    lines += [f"drop        validator {d['validator']}: {d['percent']:g}%" for d in network["drops"]]
    return lines


def _say(network: dict[str, Any]) -> None:
    lines = network_lines(network) or ["the network is whole: nothing is cut, delayed or dropped"]
    if network["notTold"]:
        away = ", ".join(map(str, network["notTold"]))
        lines.append(f"not told yet, because they do not answer: {away}")
    click.echo("\n".join(lines))


def _say_state(answer: dict[str, Any]) -> None:
    index, state = answer["validator"], answer["state"]
    remedies = {
        "killed": f"; tandem validator restart {index} starts it",
        "paused": f"; tandem validator resume {index}",
    }
    click.echo(f"validator {index} is {state}{remedies.get(state, '')}")


def _indices(words: tuple[str, ...]) -> list[list[int]]:
    """The groups in words such as 0,1 / 2,3. Raises click.BadParameter."""
    try:
        return [[int(index) for index in group.split(",")] for group in " ".join(words).split("/")]
    except ValueError:
        raise click.BadParameter(
            f"{' '.join(words)!r} names no groups of validators: write them as 0,1 / 2,3"
        ) from None
