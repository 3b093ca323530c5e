"""Collects what one event makes a replica do, with one durable write before everything that depends on it."""

from chain.proposals import Proposal
from chain.types import Hash32, ValidatorIndex
from consensus.commands import CancelTimer, Command, Commit, Persist, Placed, SafetyRecord, Send, SetTimer
from consensus.events import PeerMessage, Timer


class Outbox:
    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._safety: SafetyRecord | None = None
        self._accepted: dict[Hash32, Proposal] = {}
        self._committed: list[Placed] = []
        self._abandoned: list[Hash32] = []
        self._synced = False
        self._tokens: dict[Timer, int] = dict.fromkeys(Timer, 0)
        self._running: dict[Timer, int] = {}

    def remember(self, safety: SafetyRecord, synced: bool) -> None:
        """`synced` when a signature that leaves depends on it."""
        self._safety = safety
        self._synced = self._synced or synced

    def accept(self, proposal: Proposal) -> None:
        self._accepted[proposal.id] = proposal

    def commit(self, commit: Commit, abandoned: tuple[Hash32, ...]) -> None:
        self._committed.extend(commit.proposals)
        self._abandoned.extend(abandoned)
        self._commands.append(commit)

    def abandon(self, abandoned: tuple[Hash32, ...]) -> None:
        self._abandoned.extend(abandoned)

    def send(self, to: tuple[ValidatorIndex, ...], message: PeerMessage) -> None:
        if to:
            self._commands.append(Send(to, message))

    def add(self, command: Command) -> None:
        self._commands.append(command)

    def start_timer(self, timer: Timer, delay_ms: int) -> None:
        self._tokens[timer] += 1
        self._running[timer] = self._tokens[timer]
        self._commands.append(SetTimer(timer, self._tokens[timer], delay_ms))

    def stop_timer(self, timer: Timer) -> None:
        if self._running.pop(timer, None) is not None:
            self._commands.append(CancelTimer(timer))

    def is_running(self, timer: Timer) -> bool:
        return timer in self._running

    def fired(self, timer: Timer, token: int) -> bool:
        """Whether that is the running timer; then it runs no more."""
        if self._running.get(timer) != token:
            return False
        del self._running[timer]
        return True

    def flush(self) -> list[Command]:
        """The commands so far, the durable write first."""
        commands = self._commands
        if self._safety is not None or self._accepted or self._committed or self._abandoned:
            persist = Persist(
                self._safety,
                tuple(self._accepted.values()),
                tuple(self._committed),
                tuple(self._abandoned),
                self._synced,
            )
            commands = [persist, *commands]
        self._commands, self._safety, self._accepted = [], None, {}
        self._committed, self._abandoned, self._synced = [], [], False
        return commands
