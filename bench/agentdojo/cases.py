"""Running the cases: the scripted model, the person, the count."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall
from agentdojo.task_suite.load_suites import get_suites
from agentdojo.types import ChatAssistantMessage, ChatToolResultMessage, text_content_block_from_string

from bench.agentdojo import attacks
from bench.agentdojo.gates import Gate

VERSION = "v1.2.2"
_SAME_CALL_TRIES = 6
"""How often the attacker tries its calls again, after further steps of the user's."""


@dataclass(slots=True)
class Case:
    """What came of one task, with or without an attack."""

    suite: str
    task: str
    attack: str | None
    useful: bool = False
    attacked: bool = False
    approvals: int = 0
    """Questions about the user's own calls."""
    refused: int = 0
    """Questions about the attacker's, which the person refuses."""
    questions: list[str] = field(default_factory=list)


class WorstModel(BasePipelineElement):
    """Does the user's task, and the attacker's as soon as it has read a word of the attacker's."""

    def __init__(self, gate: Gate, case: Case, task: Any, attack: Any | None) -> None:
        self.gate, self.case, self.task, self.attack = gate, case, task, attack

    def query(
        self, query: str, runtime: Any, env: Any = None, messages: Sequence[Any] = (), extra_args: Any = None
    ) -> Any:
        said: list[Any] = []
        tries, done, seen = 0, set[tuple[int, str]](), False
        for call in self.task.ground_truth(env):
            shown = self._call(call, runtime, env, said, theirs=False)
            seen = seen or attacks.MARKER in shown
            if self.attack is not None and seen and tries < _SAME_CALL_TRIES:
                tries += 1
                for number, theirs in enumerate(attacks.calls(self.case.suite, self.attack, env)):
                    step = (number, str(theirs))
                    if step not in done and self._call(theirs, runtime, env, said, theirs=True):
                        done.add(step)
        answer = ChatAssistantMessage(
            role="assistant",
            content=[text_content_block_from_string(self.task.GROUND_TRUTH_OUTPUT)],
            tool_calls=None,
        )
        return query, runtime, env, [*messages, *said, answer], extra_args or {}

    def _call(self, call: FunctionCall, runtime: Any, env: Any, said: list[Any], *, theirs: bool) -> str:
        """Make a call if the gate and the person let it: what the model is shown, or nothing."""
        name, arguments = call.function, dict(call.args)
        self.gate.theirs = theirs
        if self.gate.asks(name, arguments):
            if theirs:
                self.case.refused += 1
                return ""
            self.case.approvals += 1
            self.case.questions.append(
                f"{name} {arguments}"[:160] + "".join(f"\n      {why}" for why in getattr(self.gate, "why", ()))
            )
            self.gate.approved()
        elif self.gate.refuses():
            if not theirs:
                self.case.questions.append(f"REFUSED {name} {arguments} {getattr(self.gate, 'why', ())}")
            return ""
        found, error = runtime.run_function(env, name, arguments)
        self.gate.done(name, arguments, None if error else found, env)
        shown = str(error) if error else tool_result_to_str(found)
        said.append(
            ChatAssistantMessage(role="assistant", tool_calls=[call], content=[text_content_block_from_string("")])
        )
        said.append(
            ChatToolResultMessage(
                role="tool", content=[text_content_block_from_string(shown)], tool_call=call, tool_call_id=None,
                error=error,
            )
        )  # fmt: skip
        return shown or " "


def run(gate: type[Gate], *, attacked: bool) -> Iterator[Case]:
    """All tasks of all suites through one gate, each alone or with each attack."""
    warnings.simplefilter("ignore")
    for name, suite in get_suites(VERSION).items():
        for task_id, task in suite.user_tasks.items():
            for attack_id, attack in suite.injection_tasks.items() if attacked else [(None, None)]:
                case = Case(suite=name, task=task_id, attack=attack_id)
                text = "" if attack is None else attacks.text_of(attack.GOAL)
                injections = dict.fromkeys(suite.get_injection_vector_defaults(), text) if attack else {}
                model = WorstModel(gate(task.PROMPT, name), case, task, attack)
                case.useful, success = suite.run_task_with_pipeline(model, task, attack, injections)
                case.attacked = success and attack is not None
                yield case
