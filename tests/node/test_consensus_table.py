"""What `tandem consensus` shows."""

from typing import Any

from node.consensus_table import ABSENT, TIMED_OUT, VOTED, lines_of

REFUSED = [{"peer": "stranger", "reason": "UnprovenPeer", "times": 5}]


def validator(index: int, **changes: Any) -> dict[str, Any]:
    heights = {"proposed": 9, "certified": 8, "committed": 7, "executed": 7, "verified": 6}
    return {
        "index": index,
        "stake": 10 * (index + 1),
        "connected": True,
        "answers": True,
        "round": 21,
        "leader": 1,
        "heights": heights,
        "behind": 0,
        "timeouts": 2,
        "connectedPeers": 3,
        "rejections": [],
        "suspects": [],
        **changes,
    }


def picture(*validators: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "rules": "hotstuff-2",
        "leaders": "weighted",
        "totalStake": 100,
        "round": 21,
        "leader": 1,
        "certificate": {"round": 20, "number": 8},
        "timeoutCertificate": {"round": 19, "number": None},
        "validators": list(validators),
        "certificates": [
            {"round": 20, "kind": "votes", "number": 8, "signers": [0, 1]},
            {"round": 19, "kind": "timeouts", "number": None, "signers": [0]},
        ],
        "equivocations": [],
        **changes,
    }


def test_the_head_says_where_consensus_is() -> None:
    first, second, *_ = lines_of(picture(validator(0, suspects=[3]), validator(1, suspects=[2, 3])))
    assert first == "rules hotstuff-2  leaders weighted  quorum 67 of stake 100"
    assert second == (
        "round 21  leader 1  highest certificate round 20 (block 8)  highest timeout certificate round 19"
        "  suspected 2, 3"
    )


def test_each_validator_has_a_strip_of_what_it_signed_newest_at_the_right() -> None:
    lines = lines_of(picture(validator(0), validator(1), validator(2)))
    assert "signed 19..20" in lines[3]
    strips = [line[lines[3].index("signed") :][:2] for line in lines[4:7]]
    assert strips == [TIMED_OUT + VOTED, ABSENT + VOTED, ABSENT + ABSENT]


def test_columns_stand_under_their_names() -> None:
    _, _, _, names, row, *_ = lines_of(picture(validator(0, behind=4, rejections=REFUSED)))
    told = {"round": "21", "behind": "4", "timeouts": "2", "refused": "5", "certified": "8", "verified": "6"}
    for name, value in told.items():
        end = names.index(name) + len(name)
        assert row[:end].split()[-1] == value, name


def test_who_is_behind_the_heights_and_what_was_signed_fit_in_80_columns() -> None:
    signed = [{"round": 1_000_000 - n, "kind": "votes", "number": n, "signers": [0]} for n in range(24)]
    names, row = lines_of(picture(validator(0), certificates=signed))[3:5]
    assert names[:80].rstrip().endswith(" timeouts")
    assert {"behind", "committed", "verified"} <= set(names[:80].split())
    assert row[:80].rstrip().endswith(VOTED * 24 + "        2")


def test_a_validator_that_is_gone_and_one_that_is_stuck_are_told_apart() -> None:
    gone = {"index": 1, "stake": 1, "connected": False, "answers": False}
    lines = lines_of(picture(validator(0), gone, validator(2, answers=False, behind=5)))
    assert lines[5].startswith("1          does not answer")
    assert lines[6].startswith("2             21      5")
    assert lines[6].endswith("does not answer")


def test_equivocations_and_refusals_are_named() -> None:
    rejections = [{"peer": "validator-3", "reason": "Equivocation", "times": 2}]
    lines = lines_of(picture(validator(0, rejections=rejections), equivocations=[{"validator": 3, "times": 2}]))
    assert "equivocations: validator-3 2" in lines
    assert lines[-1] == "validator 0 refused: validator-3 Equivocation 2"


def test_a_chain_whose_validators_are_all_gone_is_shown_as_that() -> None:
    nothing = dict.fromkeys(("round", "leader", "certificate", "timeoutCertificate"))
    gone = {"index": 0, "stake": 1, "connected": False, "answers": False}
    assert lines_of(picture(gone, **nothing, certificates=[]))[1] == "no validator answers"
