"""How `tandem consensus` shows the picture that `tandem_consensus` gives, as lines of text."""

from collections.abc import Sequence
from typing import Any

from node.status import rejection_lines

SHOWN_ROUNDS = 24
"""Certificates in the strip of each validator, the newest at the right."""
VOTED, TIMED_OUT, ABSENT = "#", "T", "."
LEGEND = f"signed: {VOTED} a certificate, {TIMED_OUT} a timeout certificate, {ABSENT} neither; the newest at the right"


def lines_of(picture: dict[str, Any]) -> list[str]:
    """The whole picture."""
    validators = picture["validators"]
    certificates = picture["certificates"][:SHOWN_ROUNDS][::-1]
    lines = [*_head(picture), "", _columns(certificates)]
    lines += [_row(validator, certificates) for validator in validators]
    lines += ["", LEGEND]
    caught = [f"validator-{entry['validator']} {entry['times']}" for entry in picture["equivocations"]]
    if caught:
        lines += ["", f"equivocations: {', '.join(caught)}"]
    return [*lines, *rejection_lines(validators)]


def _head(picture: dict[str, Any]) -> list[str]:
    total = picture["totalStake"]
    lines = [f"rules {picture['rules']}  leaders {picture['leaders']}  quorum {2 * total // 3 + 1} of stake {total}"]
    if picture["round"] is None:
        return [*lines, "no validator answers"]
    suspects = sorted({suspect for validator in picture["validators"] for suspect in validator.get("suspects", ())})
    said = [
        f"round {picture['round']}",
        f"leader {picture['leader']}",
        f"highest certificate {_named(picture['certificate'])}",
        f"highest timeout certificate {_named(picture['timeoutCertificate'])}",
        f"suspected {', '.join(map(str, suspects)) or 'nobody'}",
    ]
    return [*lines, "  ".join(said)]


def _named(certificate: dict[str, Any] | None) -> str:
    if certificate is None:
        return "none"
    if certificate["number"] is None:
        return f"round {certificate['round']}"
    return f"round {certificate['round']} (block {certificate['number']})"


def _columns(certificates: Sequence[dict[str, Any]]) -> str:
    rounds = f" {certificates[0]['round']}..{certificates[-1]['round']}" if certificates else ""
    left = "validator  round behind  committed  verified  "
    return f"{left}{'signed' + rounds:<{SHOWN_ROUNDS}} timeouts  refused  certified  executed  stake  peers"


def _row(validator: dict[str, Any], certificates: Sequence[dict[str, Any]]) -> str:
    """What matters most is in the first 80 columns: a narrow terminal cuts the rest."""
    strip = "".join(_mark(validator["index"], certificate) for certificate in certificates).ljust(SHOWN_ROUNDS)
    if not validator["connected"] or "heights" not in validator:
        return f"{validator['index']:<11}{'does not answer':<35}{strip}"
    heights = validator["heights"]
    refused = sum(entry["times"] for entry in validator["rejections"])
    row = (
        f"{validator['index']:<9}{validator['round']:>7}{validator['behind'] or '-':>7}{heights['committed']:>11}"
        f"{heights['verified']:>10}  {strip}{validator['timeouts']:>9}{refused or '-':>9}{heights['certified']:>11}"
        f"{heights['executed']:>10}{validator['stake']:>7}{validator['connectedPeers']:>7}"
    )
    return row if validator["answers"] else f"{row}  does not answer"


def _mark(validator: int, certificate: dict[str, Any]) -> str:
    if validator not in certificate["signers"]:
        return ABSENT
    return TIMED_OUT if certificate["kind"] == "timeouts" else VOTED
