"""Tracers in JavaScript see what geth shows them. geth's own call_tracer_legacy.js told of all its 12 cases what geth
expects; its licence keeps it out of here."""

from typing import Any

import pytest

from chain.types import Gas
from execution.evm.call_instructions import contract_address, created_address
from execution.tracers import javascript_tracer, tracer_named
from execution.tracers.javascript_tracer import TracerFailed
from execution.tracers.tracer import BadTracerOptions, UnknownTracer
from tests.execution.engine.small_world import ALICE, BENEFICIARY, CONTRACT, OTHER, TIP, environment, state, transaction
from tests.execution.tracers.geth_case import traced


def told(program: str, source: str, *others: Any, options: dict[str, Any] | None = None, gas: int = 200_000) -> Any:
    """What the tracer says of Alice's call of a contract with this program."""
    world = state((CONTRACT, program), *others)
    return traced(world, transaction(CONTRACT, gas=Gas(gas)), environment(), source, options or {}, ALICE)


def each_step(expression: str, opcode: str = "") -> str:
    """A tracer that lists an expression of every step, or of every one with this opcode."""
    wanted = f"if (log.op.toString() == '{opcode}')" if opcode else ""
    return (
        f"{{found: [], step: function(log, db) {{ {wanted} this.found.push({expression}); }},"
        " fault: function(log, db) {}, result: function(ctx, db) { return this.found; }}"
    )


def at_the_end(expression: str) -> str:
    return f"{{fault: () => 0, result: (ctx, db) => ({expression})}}"


def test_a_step_shows_its_opcode_gas_and_place() -> None:
    shown = "[log.op.toString(), log.op.toNumber(), log.op.isPush(), log.getPC(), log.getCost(), log.getDepth()]"
    assert told("5 7 ADD POP", each_step(shown)) == [
        ["PUSH1", 0x60, True, 0, 3, 1],
        ["PUSH1", 0x60, True, 2, 3, 1],
        ["ADD", 0x01, False, 4, 3, 1],
        ["POP", 0x50, False, 5, 2, 1],
        ["STOP", 0x00, False, 6, 0, 1],
    ]
    before, after = told("5 POP", each_step("log.getGas()"))[:2]
    assert before - after == 3


def test_a_step_shows_the_stack_and_the_memory_before_it() -> None:
    shown = "[log.stack.length(), log.stack.peek(0).toString(16), log.stack.peek(1).add(1).toJSNumber()]"
    assert told("5 7 ADD POP", each_step(shown, "ADD")) == [[2, "7", 6]]
    shown = "[log.memory.length(), toHex(log.memory.slice(30, 32)), log.memory.getUint(0).toString()]"
    assert told("0x1234 0 MSTORE 1 POP", each_step(shown, "POP")) == [[32, "0x1234", "4660"]]


def test_a_step_shows_whose_code_runs() -> None:
    shown = "[toHex(log.contract.getAddress()), toHex(log.contract.getCaller()), log.contract.getValue().toString(), "
    shown += "toHex(log.contract.getInput())]"
    program = f"0xabcd 0 MSTORE 0 0 2 30 5 0x{OTHER.hex()} GAS CALL"
    world = state((CONTRACT, program), (OTHER, "1 POP"))
    world.put(CONTRACT, 1, 10, world.code(world.account(CONTRACT).code_hash), {})
    call = transaction(CONTRACT, gas=Gas(200_000))
    found = traced(world, call, environment(), each_step(shown, "POP"), {}, ALICE)
    assert found == [["0x" + OTHER.hex(), "0x" + CONTRACT.hex(), "5", "0xabcd"]]


def test_the_state_is_that_before_the_step() -> None:
    slot = "parseInt(toHex(db.getState(log.contract.getAddress(), toWord('0x01'))).slice(2), 16)"
    assert told("8 1 SSTORE 9 1 SSTORE", each_step(slot, "SSTORE")) == [0, 8]
    assert told("8 1 SSTORE 9 1 SSTORE STOP", each_step(slot, "STOP")) == [9]
    balance = "[db.getBalance(log.contract.getAddress()).toString(), db.exists(log.contract.getAddress())]"
    world = state((CONTRACT, f"0x{OTHER.hex()} SELFDESTRUCT"))
    world.put(CONTRACT, 1, 10, world.code(world.account(CONTRACT).code_hash), {})
    call = transaction(CONTRACT, gas=Gas(200_000))
    assert traced(world, call, environment(), each_step(balance, "SELFDESTRUCT"), {}, ALICE) == [["10", True]]
    account = f"[db.getNonce(toAddress('0x{ALICE.hex()}')), toHex(db.getCode(ctx.to)), db.exists(toAddress('0x99'))]"
    assert told("1 POP", at_the_end(account)) == [1, "0x600150", False]


def test_calls_are_entered_and_left() -> None:
    source = """{found: [],
      enter: function(frame) {
        const value = frame.getValue();
        this.found.push([frame.getType(), toHex(frame.getFrom()), toHex(frame.getTo()), toHex(frame.getInput()),
                         frame.getGas(), value === undefined ? null : value.toString()]); },
      exit: function(result) { this.found.push([result.getGasUsed(), toHex(result.getOutput()), result.getError()]); },
      fault: function() {}, result: function() { return this.found; }}"""
    found = told(f"0 0 0 0 0x{OTHER.hex()} 5000 STATICCALL", source, (OTHER, "0xab 0 MSTORE 1 31 REVERT"))
    assert found[0] == ["STATICCALL", "0x" + CONTRACT.hex(), "0x" + OTHER.hex(), "0x", 5000, None]
    assert found[1][1:] == ["0xab", "execution reverted"]


@pytest.mark.parametrize(
    ("program", "gas", "expected"),
    [
        ("0 0 REVERT", 100_000, [["REVERT", "execution reverted"]]),
        ("3 JUMP", 100_000, [["JUMP", "invalid jump destination"]]),
        ("1 1 SSTORE", 22_000, []),  # told of by the step itself
        ("1 POP", 100_000, []),
    ],
)
def test_a_fault_is_that_of_an_instruction_that_was_carried_out(program: str, gas: int, expected: Any) -> None:
    source = """{found: [], errors: [], step: function(log) { if (log.getError()) this.errors.push(log.getError()); },
      fault: function(log, db) { this.found.push([log.op.toString(), log.getError()]); },
      result: function() { return {found: this.found, errors: this.errors}; }}"""
    shown = told(program, source, gas=gas)
    assert shown["found"] == expected
    assert shown["errors"] == (["out of gas"] if gas == 22_000 else [])


def test_the_result_is_told_of_the_whole_run() -> None:
    shown = told(
        "0x2a 0 MSTORE 32 0 RETURN",
        at_the_end(
            "[ctx.type, toHex(ctx.from), toHex(ctx.to), toHex(ctx.input), ctx.gas, ctx.gasUsed > 21000, ctx.block, "
            "ctx.value.toString(), ctx.gasPrice.toString(), toHex(ctx.coinbase), toHex(ctx.output), ctx.error]"
        ),
    )
    output = f"0x{0x2A:064x}"
    parties = ["0x" + ALICE.hex(), "0x" + CONTRACT.hex()]
    assert shown == ["CALL", *parties, "0x", 200_000, True, 9000, "0", str(TIP), "0x" + BENEFICIARY.hex(), output, None]
    assert told("0 0 REVERT", at_the_end("ctx.error")) == "execution reverted"
    assert told("1 POP", at_the_end("undefined")) is None


def test_the_functions_that_geth_gives_are_there() -> None:
    assert told("1 POP", at_the_end("[toHex([1, 255]), toHex(toWord('0x01')), toHex(slice([1, 2, 3], 1, 3))]")) == [
        "0x01ff",
        f"0x{1:064x}",
        "0x0203",
    ]
    creations = f"[toHex(toContract('0x{ALICE.hex()}', 7)), toHex(toContract2('0x{ALICE.hex()}', '0x05', [254]))]"
    assert told("1 POP", at_the_end(creations)) == [
        "0x" + contract_address(ALICE, 7).hex(),
        "0x" + created_address(ALICE, 0, b"\xfe", 5).hex(),
    ]
    assert told("1 POP", at_the_end("[isPrecompiled(toAddress('0x01')), isPrecompiled(ctx.from)]")) == [True, False]
    arithmetic = "[bigInt(2).pow(200).toString(16), bigInt('0x10').minus(20).toString(), bigInt('ff', 16).gt(254)]"
    assert told("1 POP", at_the_end(arithmetic)) == [f"{2**200:x}", "-4", True]


def test_a_tracer_is_set_up_with_its_configuration() -> None:
    source = "{setup: function(config) { this.wanted = JSON.parse(config).wanted; }, fault: function() {}, "
    source += "result: function() { return this.wanted; }}"
    assert told("1 POP", source, options={"wanted": [1, "two"]}) == [1, "two"]


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(javascript_tracer, "CALL_LIMIT_S", 0.05)
    monkeypatch.setattr(javascript_tracer, "MAX_MEMORY_BYTES", 4_000_000)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{fault: function() {}}", "trace object must expose a function result()"),
        ("{result: function() {}}", "trace object must expose a function fault()"),
        (
            "{result: function() {}, fault: function() {}, enter: function() {}}",
            "trace object must expose either both or none of enter() and exit()",
        ),
        ("{result: function() {}, fault", "SyntaxError: "),
        ("(function() { while (true) {} })()", "InternalError: interrupted"),
        ("{setup: () => missing, result: () => 0, fault: () => 0}", "ReferenceError: missing is not defined"),
    ],
)
def test_what_is_no_tracer_is_refused_before_anything_runs(source: str, words: str) -> None:
    with pytest.raises(BadTracerOptions, match=words.replace("(", r"\(").replace(")", r"\)")):
        tracer_named(source, {})
    with pytest.raises(UnknownTracer):
        tracer_named("noSuchTracer", {})


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("log.nothing.at.all", "TypeError: .* in server-side tracer function 'step'"),
        ("log.stack.peek(1000)", "RangeError: tracer accessed out of bound stack: size 0, index 1000 .*"),
        ("(function deeper() { deeper(); })()", "RangeError: Maximum call stack size exceeded .*"),
        ("(function() { while (true) {} })()", "InternalError: interrupted .*"),
        ("(function() { const all = []; while (true) all.push(new Uint8Array(1e6)); })()", ".* 'step'"),
    ],
)
def test_a_tracer_that_fails_says_where_and_is_called_no_more(step: str, words: str) -> None:
    source = f"{{step: function(log) {{ {step} }}, fault: function() {{}}, result: function() {{ return 1; }}}}"
    with pytest.raises(TracerFailed, match=words):
        told("1 POP", source)


def test_opcodes_are_counted_alone_in_pairs_and_in_threes() -> None:
    program = "5 7 ADD POP"
    assert told(program, "opcountTracer") == 5
    assert told(program, "unigramTracer") == {"PUSH1": 2, "ADD": 1, "POP": 1, "STOP": 1}
    assert told(program, "bigramTracer") == {"PUSH1-PUSH1": 1, "PUSH1-ADD": 1, "ADD-POP": 1, "POP-STOP": 1}
    assert told(program, "trigramTracer") == {"--PUSH1": 1, "-PUSH1-ADD": 1, "PUSH1-ADD-POP": 1, "ADD-POP-STOP": 1}
    deeper = told(f"0 0 0 0 0x{OTHER.hex()} 5000 STATICCALL", "bigramTracer", (OTHER, "1 POP"))
    assert (deeper["PUSH1-POP"], deeper["POP-STOP"], "STATICCALL-PUSH1" in deeper) == (1, 1, False)
