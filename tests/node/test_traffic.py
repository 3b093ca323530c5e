"""What `tandem traffic` understands on its command line, and which calls it makes of it."""

from typing import Any

import click
import pytest
from eth_abi.abi import decode, encode

from chain.addresses import checksummed
from chain.types import Address, Gas, Wei
from node.errors import BadSetting
from node.traffic.arguments import ArgumentMaker, Moment, check_templates
from node.traffic.call_text import BadCall, call_from
from node.traffic.command import Ether, Share
from node.traffic.plan import address_from
from node.traffic.reverts import RevertWords
from node.traffic.run import Job, moment_of
from node.traffic.senders import senders_of
from rpc.naming.interface import selector_of

SENDERS = [sender.address for sender in senders_of(1, 5)]
ME = SENDERS[0]
CONTRACT = Address(b"\xcc" * 20)
KNOWN = ("transfer(address,uint256)", "mint(address,uint256)", "mint(uint256)", "pause()")


def hex_of(address: Address) -> str:
    return "0x" + address.hex()


def made(text: str, *arguments: str, index: int = 0, hot: bool = False, seed: int = 1) -> list[Any]:
    maker = ArgumentMaker(call_from(text, arguments), SENDERS, seed, CONTRACT)
    return maker.values(Moment(index, ME, hot))


@pytest.mark.parametrize(
    ("text", "arguments", "signature", "given"),
    [
        ("transfer(address,uint256)", [], "transfer(address,uint256)", (None, None)),
        ("transfer(address, uint)", ["{hot}"], "transfer(address,uint256)", ("{hot}", None)),
        ("transfer(address to, uint256 amount)", ["{sender}", "5"], "transfer(address,uint256)", ("{sender}", "5")),
        ("f((uint8,address[2])[] memory x, bytes)", [], "f((uint8,address[2])[],bytes)", (None, None)),
        ("pause()", [], "pause()", ()),
        ("transfer({recipient},1_000)", [], "transfer(address,uint256)", ("{recipient}", "1_000")),
        ("note('a, b', true, -3)", [], "note(string,bool,int256)", ("'a, b'", "true", "-3")),
        ("pick({1..5}, 0x" + "ab" * 20 + ")", [], "pick(uint256,address)", ("{1..5}", "0x" + "ab" * 20)),
    ],
)
def test_a_call_is_understood_as_one_types_it(
    text: str, arguments: list[str], signature: str, given: tuple[str | None, ...]
) -> None:
    call = call_from(text, arguments)
    assert (call.signature, call.given) == (signature, given)


def test_the_contract_s_functions_complete_what_is_not_said() -> None:
    assert call_from("transfer", ["{hot}"], KNOWN).signature == "transfer(address,uint256)"
    assert call_from("mint", ["{sender}", "1"], KNOWN).signature == "mint(address,uint256)"
    assert call_from("mint", ["1"], KNOWN).signature == "mint(uint256)"
    assert call_from("mint({sender},1)", [], KNOWN).signature == "mint(address,uint256)"


@pytest.mark.parametrize(
    ("text", "arguments", "known", "words"),
    [
        ("transfer", [], (), "'transfer' alone does not say which function: write it with its types; the node does"),
        ("mint", [], KNOWN, "there is mint(address,uint256), mint(uint256)"),
        ("transfr(address)", [], KNOWN, "the contract has no function transfr(address): there is transfer(address,"),
        ("nothing", [], KNOWN, "there is mint(address,uint256), mint(uint256), pause(), transfer(address,uint256)"),
        ("transfer(address", [], (), "'transfer(address' is no call"),
        ("transfer(addres,uint256)", [], (), "of what type is 'addres'?"),
        ("f(uint7)", [], (), "of what type is 'uint7'?"),
        ("f(uint256)", ["1", "2"], (), "f takes 1 arguments, 2 are given"),
        ("f(1)", ["2"], (), "'f(1)' has its arguments in it, and '2' stands behind it: give one of both"),
        ("f((1,2)", [], (), "a bracket or quote is open"),
    ],
)
def test_what_is_no_call_is_refused_with_the_remedy(
    text: str, arguments: list[str], known: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadCall) as refused:
        call_from(text, arguments, known)
    assert words in str(refused.value)


def test_addresses_are_other_senders_and_numbers_are_small_where_nothing_is_given() -> None:
    calls = [made("transfer(address,uint256)", index=index) for index in range(200)]
    assert {to for to, _ in calls} == {hex_of(each) for each in SENDERS[1:]}
    assert {amount for _, amount in calls} == set(range(1, 11))


def test_every_type_can_be_made_up_and_encoded() -> None:
    types = "(address,bool,string,bytes,bytes4,uint8,int16,uint256[],address[3],(uint64,string)[2])"
    maker = ArgumentMaker(call_from(f"f{types}", []), SENDERS, 1, CONTRACT)
    for index in range(20):
        moment = Moment(index, ME, False)
        data = maker.calldata(moment)
        assert data[:4] == selector_of(maker.call.signature)
        [values] = decode([types], encode([types], [tuple(maker.values(moment))]))
        assert data[4:] == encode(list(maker.call.types), values)


def test_the_same_seed_gives_the_same_calls_and_wallets_and_another_one_others() -> None:
    assert [made("f(uint256,bytes32)", index=i) for i in range(5)] == [
        made("f(uint256,bytes32)", index=i) for i in range(5)
    ]
    assert made("f(bytes32)", seed=1) != made("f(bytes32)", seed=2)
    assert [s.address for s in senders_of(1, 2)] == SENDERS[:2]
    assert senders_of(2, 1)[0].address != SENDERS[0]


def test_hot_calls_share_the_first_address_that_is_picked_or_else_the_first_argument() -> None:
    hot = [made("transfer(address,uint256)", index=index, hot=True) for index in range(50)]
    assert len({to for to, _ in hot}) == 1
    assert len({amount for _, amount in hot}) > 1
    assert hot[0][0] not in map(hex_of, SENDERS)
    assert len({made("vote(uint256)", index=index, hot=True)[0] for index in range(50)}) == 1
    assert ArgumentMaker(call_from("f(uint256,uint256)", ["7"]), SENDERS, 1, CONTRACT).hot_place == 1
    assert ArgumentMaker(call_from("f(uint256,address)", ["7", "{sender}"]), SENDERS, 1, CONTRACT).hot_place is None


def test_templates_are_filled_in() -> None:
    assert made("f(address,uint256,uint256,bool)", "{sender}", "{index}", "0x10", "true", index=9) == [
        hex_of(ME), 9, 16, True,
    ]  # fmt: skip
    assert {made("f(uint256)", "{3..5}", index=index)[0] for index in range(60)} == {3, 4, 5}
    assert made("f(string)", "player-{index} of {sender}", index=4) == [f"player-4 of {hex_of(ME)}"]
    assert made("f(uint8[],(bool,bytes2))", "[1,2]", "(false,0xbeef)") == [[1, 2], (False, b"\xbe\xef")]
    assert made("f(address,string)", "{contract}", "for {contract}") == [hex_of(CONTRACT), f"for {hex_of(CONTRACT)}"]
    assert made("f(address)", "{hot}") == made("f(address)", hot=True)
    with pytest.raises(BadCall, match=r"\{foo\} is no template: there are \{sender\}"):
        check_templates(call_from("f(uint256)", ["{foo}"]))


@pytest.mark.parametrize(
    ("text", "argument", "words"),
    [
        ("f(uint8)", "256", "256 does not fit into uint8"),
        ("f(int8)", "-129", "-129 does not fit into int8"),
        (
            "f(uint256)",
            "{sender}",
            "argument 1 of f(uint256): '{sender}' is no whole number, nor one of {hot},",
        ),
        ("f(uint256)", "{5..3}", "{5..3} ends before it begins"),
        ("f(address)", "0x12", "'0x12' is no address"),
        ("f(bool)", "yes", "'yes' is neither true nor false"),
        ("f(bytes2)", "0x010203", "'0x010203' has 3 bytes, too many for bytes2"),
        ("f(bytes)", "zz", "'zz' are no bytes"),
        ("f(uint8[2])", "[1]", "'[1]' has 1 elements, the type has 2"),
        ("f(uint8[])", "1", "'1': write it in []"),
        ("f((bool,bool))", "(true)", "'(true)' has 1 members, (bool,bool) has 2"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(text: str, argument: str, words: str) -> None:
    with pytest.raises(BadCall) as refused:
        made(text, argument)
    assert words in str(refused.value)


def test_so_many_calls_are_hot_as_was_asked_for() -> None:
    job = Job(ME, 1, 1000, 0.3, 0, Wei(0), Gas(1), Wei(1), 5)
    assert 250 < sum(moment_of(index, ME, job).is_hot for index in range(1000)) < 350


def test_amounts_and_shares() -> None:
    amounts = [Ether().convert(text, None, None) for text in ("5", "1.5gwei", "0.1 ether", "2eth", "3wei")]
    assert amounts == [5, 15 * 10**8, 10**17, 2 * 10**18, 3]
    assert [Share().convert(text, None, None) for text in ("30%", "0", "100%")] == [0.3, 0.0, 1.0]
    for type, text in ((Ether(), "1.5"), (Ether(), "much"), (Share(), "101%"), (Share(), "x")):
        with pytest.raises(Exception, match=text):
            type.convert(text, None, None)
    with pytest.raises(click.UsageError, match=r"9{79}' is no amount"):
        Ether().convert("9" * 6000, None, None)
    with pytest.raises(BadSetting, match="'0x12' is no address of a contract"):
        address_from("0x12")


@pytest.mark.parametrize("call", ["f(uint{})", "f(bytes{})", "f(uint[{}])"])
def test_numbers_longer_than_any_are_refused(call: str) -> None:
    with pytest.raises(BadCall):
        call_from(call.format("8" * 6000), [])
    with pytest.raises(BadCall):
        made("f(uint256)", "{1.." + "8" * 6000 + "}")


def test_revert_data_is_put_in_words() -> None:
    words = RevertWords({selector_of("Closed(uint8)"): "Closed(uint8)"})
    short = selector_of("ERC20InsufficientBalance(address,uint256,uint256)") + encode(
        ["address", "uint256", "uint256"], ["0x" + "ab" * 20, 0, 7]
    )
    text = selector_of("Error(string)") + encode(["string"], ["too late"])
    assert words.of("execution reverted", "0x" + text.hex()) == "too late"
    shown = checksummed(Address(b"\xab" * 20))
    assert words.of("execution reverted", "0x" + short.hex()) == f"ERC20InsufficientBalance({shown}, 0, 7)"
    assert words.name_of("execution reverted", "0x" + short.hex()).startswith("ERC20InsufficientBalance(address,")
    closed = "0x" + (selector_of("Closed(uint8)") + encode(["uint8"], [3])).hex()
    assert words.of("", closed) == "Closed(3)"
    assert words.of("", closed[:10]) == "Closed(uint8)"
    assert words.of("", "0xdeadbeef") == "custom error 0xdeadbeef"
    assert words.of("out of gas", None) == "out of gas"
