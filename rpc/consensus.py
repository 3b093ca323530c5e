"""tandem_consensus and eth_subscribe("tandemConsensus"): how the validators agree, put together from all of them.

Validators are asked only when a client asks, or, while one is subscribed, after their news said that something changed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from chain.genesis import Genesis
from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.mempool import ConsensusNews
from chain.messages.watching import ConsensusView, ReadConsensus, SeenCertificate
from chain.types import BlockNumber, ValidatorIndex
from rpc.chain_view import ChainView
from rpc.methods import Node, method
from rpc.render import JsonObject
from rpc.status import consensus_json
from rpc.tasks import Tasks

ASK_TIMEOUT_S = 0.5
"""A validator that does not answer within this time is shown with its last news."""
PUSH_INTERVAL_S = 0.25
"""The least time between two pictures to a subscriber. More often than four times a second nobody can read."""
SHOWN_CERTIFICATES = 32
Tell: TypeAlias = Callable[[JsonObject], None]


class ConsensusObserver:
    def __init__(self, genesis: Genesis, chain: ChainView, validators: Mapping[ValidatorIndex, Link]) -> None:
        self._genesis = genesis
        self._chain = chain
        self._validators = validators
        self._tasks = Tasks()
        self._tell: Tell | None = None
        self._looking = False
        self._dirty = False

    async def picture(self) -> JsonObject:
        """What all validators that answer know, as JSON."""
        views = await asyncio.gather(*(self._ask(link) for link in self._validators.values()))
        seen = dict(zip(self._validators, views, strict=True))
        said = self._chain.consensus
        foremost = max(said.values(), key=lambda news: news.round, default=None)
        certificates = merged(view.certificates for view in views if view is not None)
        return {
            "rules": self._genesis.rules,
            "leaders": self._genesis.leaders,
            "totalStake": sum(identity.stake for identity in self._genesis.validators),
            "round": None if foremost is None else foremost.round,
            "leader": None if foremost is None else foremost.leader,
            "certificate": await self._newest(certificates, timeout=False),
            "timeoutCertificate": await self._newest(certificates, timeout=True),
            "validators": [
                await self._validator(index, said.get(index), seen[index]) for index in sorted(self._validators)
            ],
            "certificates": [await self._certificate(one) for one in certificates],
            "equivocations": equivocations(said.values()),
        }

    def begin(self, tell: Tell) -> None:
        """Someone is subscribed: tell it how things are, and again whenever they change."""
        self._tell = tell
        self.changed()

    def end(self) -> None:
        """Nobody is subscribed."""
        self._tell = None

    def changed(self) -> None:
        """A validator has news."""
        self._dirty = self._tell is not None
        if self._dirty and not self._looking:
            self._looking = True
            self._tasks.start(self._look())

    async def close(self) -> None:
        await self._tasks.close()

    async def _look(self) -> None:
        try:
            while self._dirty and self._tell is not None:
                self._dirty = False
                picture = await self.picture()
                if self._tell is not None:
                    self._tell(picture)
                await asyncio.sleep(PUSH_INTERVAL_S)
        finally:
            self._looking = False

    async def _ask(self, link: Link) -> ConsensusView | None:
        if not link.connected:
            return None
        try:
            answer = await link.request(ReadConsensus(), ASK_TIMEOUT_S)
        except (TimeoutError, RequestFailed, LinkClosed):
            return None
        assert isinstance(answer, ConsensusView)
        return answer

    async def _validator(
        self, index: ValidatorIndex, news: ConsensusNews | None, view: ConsensusView | None
    ) -> JsonObject:
        shown: JsonObject = {
            "index": index,
            "stake": self._genesis.validators[index].stake,
            "connected": self._validators[index].connected,
            "answers": view is not None,
        }
        if news is not None:
            foremost = max(said.committed for said in self._chain.consensus.values())
            shown |= await consensus_json(news, self._chain) | {"behind": foremost - news.committed}
        if view is not None:
            own = merged([view.certificates])
            shown |= {"certificate": await self._newest(own, timeout=False), "suspects": list(view.suspected)}
        return shown

    async def _newest(self, certificates: Sequence[SeenCertificate], timeout: bool) -> JsonObject | None:
        found = next((one for one in certificates if one.timeout is timeout), None)
        return None if found is None else {"round": found.round, "number": await self._number(found)}

    async def _certificate(self, seen: SeenCertificate) -> JsonObject:
        return {
            "round": seen.round,
            "kind": "timeouts" if seen.timeout else "votes",
            "number": await self._number(seen),
            "signers": list(seen.signers),
        }

    async def _number(self, seen: SeenCertificate) -> BlockNumber | None:
        return None if seen.height is None else await self._chain.number_at(seen.height)


def merged(seen: Iterable[Sequence[SeenCertificate]]) -> list[SeenCertificate]:
    """The newest certificates that any validator knows, newest first. Of one round there may be two with different
    signers, formed in two places: all of them have signed.
    """
    found: dict[tuple[int, bool], SeenCertificate] = {}
    for certificate in (certificate for certificates in seen for certificate in certificates):
        key = (certificate.round, certificate.timeout)
        other = found.get(key, certificate)
        height = other.height if certificate.height is None else certificate.height
        signers = tuple(sorted({*certificate.signers, *other.signers}))
        found[key] = SeenCertificate(certificate.round, certificate.timeout, height, signers)
    return [found[key] for key in sorted(found, reverse=True)][:SHOWN_CERTIFICATES]


def equivocations(said: Iterable[ConsensusNews]) -> list[JsonObject]:
    """Who was caught signing two things for one round, and how often: as often as the validator says that caught it
    most, because each catches the same lies.
    """
    times: dict[int, int] = {}
    for rejection in (rejection for news in said for rejection in news.rejections):
        if rejection.reason == "Equivocation":
            times[rejection.peer] = max(times.get(rejection.peer, 0), rejection.times)
    return [{"validator": peer, "times": count} for peer, count in sorted(times.items())]


@method("tandem_consensus")
async def consensus(node: Node) -> JsonObject:
    """Rounds, leaders, certificates and who signed them, as all validators together have it."""
    return await node.consensus.picture()
