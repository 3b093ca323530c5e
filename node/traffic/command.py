"""`tandem traffic`: drives a contract of a running chain with many wallets, so that there is something to see."""

import re
import signal
import sys
from typing import Any

import click

from node.command_options import for_running_chain
from node.running_chain import RefusedByChain

MAX_SENDERS, MAX_COUNT = 1_000, 1_000_000
MAX_AMOUNT_DIGITS = 60
"""Before the point. No account has as much."""
STOPPED_STATUS = 130
_NEGATIVE = re.compile(r"-[\d.]")


class Share(click.ParamType[float]):
    """A part of the whole, such as 30%."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            percent = float(str(value).removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100:
            self.fail(f"{value!r} is no percentage: give 0% to 100%, such as 30%", param, ctx)
        return percent / 100


class Ether(click.ParamType[int]):
    """An amount of wei, or with a unit behind it."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        for unit, wei in (("gwei", 10**9), ("ether", 10**18), ("eth", 10**18), ("wei", 1), ("", 1)):
            number = text.removesuffix(unit).strip()
            if text.endswith(unit) and number.replace(".", "", 1).isdecimal():
                whole, _, fraction = number.partition(".")
                digits = len(str(wei)) - 1
                if len(fraction) <= digits and len(whole) <= MAX_AMOUNT_DIGITS:
                    return int(whole or 0) * wei + int(fraction.ljust(digits, "0") or 0)
        return self.fail(f"{text[:80]!r} is no amount: give wei, or 5gwei, or 0.1ether", param, ctx)


def no_option(ctx: click.Context, param: click.Parameter, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """What click took for an argument because it knows no such option is a number, or else a mistake."""
    for text in arguments:
        if text.startswith("-") and _NEGATIVE.match(text) is None:
            options = [name for each in ctx.command.params for name in each.opts if name.startswith("--")]
            raise click.NoSuchOption(text.partition("=")[0], possibilities=options, ctx=ctx)
    return arguments


@click.command(short_help="Drive a contract with many wallets.", context_settings={"ignore_unknown_options": True})
@click.argument("contract")
@click.argument("function")
@click.argument("arguments", nargs=-1, callback=no_option)
@click.option("--senders", type=click.IntRange(1, MAX_SENDERS), default=50, show_default=True, help="How many wallets.")
@click.option("--count", type=click.IntRange(1, MAX_COUNT), default=1000, show_default=True, help="How many calls.")
@click.option("--hot", type=Share(), default="0%", show_default=True, help="Share of calls with one common argument.")
@click.option("--rate", type=click.FloatRange(0), default=0, help="Calls a second.  [default: as blocks come]")
@click.option("--value", type=Ether(), default="0", help="Sent with each call: wei, or 5gwei, 0.1ether.")
@click.option("--setup", multiple=True, help="A call that a development account makes first, once for each sender.")
@click.option("--sender-setup", multiple=True, help="A call that each sender makes first, once, after --setup.")
@click.option("--from", "payer", type=click.IntRange(0), default=0, show_default=True, help="Which one makes it.")
@click.option("--gas", type=click.IntRange(21_000), help="Gas limit of each call.  [default: estimated]")
@click.option("--seed", type=int, default=1, show_default=True, help="What wallets and arguments come from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@for_running_chain
def traffic(url: str, **options: Any) -> None:
    """Call FUNCTION of CONTRACT from many wallets, each one call at a time, and say what came of it.

    \b
    tandem traffic 0x5Fb… 'transfer(address,uint256)' --setup 'transfer({sender},1000)' --hot 30%
    tandem traffic 0x5Fb… 'vote(uint256)' '{1..5}' --senders 20 --count 200
    tandem traffic 0x5Fb… 'mint({sender},10)'
    tandem traffic 0xe7f… 'deposit(uint256,address)' --setup '0x5Fb….mint({sender},1000)' --sender-setup
    '0x5Fb….approve({contract},1000)'

    Arguments that are not given are made up by their types: addresses are other wallets', numbers 1 to 10. In an
    argument {sender} is the wallet that calls, {recipient} another one, {contract} CONTRACT itself, {hot} the one that
    --hot calls share, {random} a made-up value, {index} the number of the call, and {1..100} a number between.

    The wallets come from the seed, and get ether from the development accounts. What else they need, such as tokens,
    --setup gives them: it is sent by development account 0 (who has often deployed the contract), or by --from N. What
    each wallet does itself, such as to approve, is --sender-setup. Both may begin with another contract's address and a
    dot.
    """
    import asyncio

    from node.traffic.connection import Refused
    from node.traffic.drive import Wanted, drive

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = asyncio.run(drive(Wanted(url=url, **options)))
    except Refused as refused:
        raise RefusedByChain(refused.message) from refused
    except KeyboardInterrupt:
        click.echo("stopped before the first call", err=True)
        sys.exit(STOPPED_STATUS)
    sys.exit(STOPPED_STATUS if outcome.stopped else 0)
