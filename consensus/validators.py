"""Who votes, with what weight, and how much of it decides."""

from collections.abc import Iterable, Sequence

from chain.genesis import ValidatorIdentity
from chain.types import Address, ValidatorIndex
from consensus.errors import UnknownValidator


class ValidatorSet:
    """The validators of genesis, named by their position in it."""

    def __init__(self, identities: Sequence[ValidatorIdentity]) -> None:
        assert identities, "a chain has at least one validator"
        assert all(identity.stake > 0 for identity in identities), "every validator has stake"
        self._identities = tuple(identities)
        self.total_stake = sum(identity.stake for identity in identities)

    def __len__(self) -> int:
        return len(self._identities)

    @property
    def indices(self) -> tuple[ValidatorIndex, ...]:
        return tuple(ValidatorIndex(i) for i in range(len(self._identities)))

    def others(self, index: ValidatorIndex) -> tuple[ValidatorIndex, ...]:
        return tuple(i for i in self.indices if i != index)

    def check_index(self, index: int) -> None:
        """Raises UnknownValidator."""
        if not 0 <= index < len(self._identities):
            raise UnknownValidator(index)

    def public_key(self, index: ValidatorIndex) -> bytes:
        return self._identities[index].public_key

    def beneficiary(self, index: ValidatorIndex) -> Address:
        return self._identities[index].beneficiary

    def stake(self, members: Iterable[ValidatorIndex]) -> int:
        return sum(self._identities[i].stake for i in members)

    def is_quorum(self, members: Iterable[ValidatorIndex]) -> bool:
        """More than two thirds of the stake: any two quorums share an honest validator."""
        return 3 * self.stake(members) > 2 * self.total_stake

    def exceeds_a_third(self, members: Iterable[ValidatorIndex]) -> bool:
        """More than a third of the stake: at least one of them is honest."""
        return 3 * self.stake(members) > self.total_stake
