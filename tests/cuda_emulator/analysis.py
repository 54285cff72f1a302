"""What the words of a text tell: which kernels can reach a barrier, and what they only read."""

from __future__ import annotations

import re

BARRIERS = re.compile(r"__sync\w+|__shfl\w*|__\w+_sync|__activemask")
_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:.*\\\n)*.*)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:.*\\\n)*.*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_NAMED = re.compile(r"\b(?:struct|class|union|namespace)\s+(\w+)[^;(){}]*$|([A-Za-z_~]\w*)\s*\(")
# What stands before a parenthesis at the head of a body and is not the function's name.
_NOT_NAMES = {"__launch_bounds__", "__attribute__", "noexcept", "decltype", "alignas", "explicit", "sizeof"}


def barrier_names(text: str) -> frozenset[str]:
    """Names of functions, classes and macros in `text` that may reach a barrier. Doubt counts as yes."""
    bodies = _bodies(_COMMENT.sub(" ", text))
    reaching = {name for name, words in bodies.items() if any(BARRIERS.fullmatch(word) for word in words)}
    while True:
        more = {name for name, words in bodies.items() if name not in reaching and words & reaching}
        if not more:
            return frozenset(reaching)
        reaching |= more


def needs_fibers(expression: str, reaching: frozenset[str]) -> bool:
    """Whether the kernel that a name expression such as `sum<float, Plus>` names may reach a barrier."""
    return not reaching.isdisjoint(_WORD.findall(expression))


def constant_parameters(text: str, expression: str, count: int) -> tuple[bool, ...]:
    """For each parameter of a kernel whether it is a pointer to what is const. Doubt counts as no."""
    name = re.escape(expression.partition("<")[0].rpartition("::")[2].strip())
    head = re.compile(rf"__global__(?:[^;{{}}()]|\([^()]*\))*?\b{name}\s*\(([^()]*)\)\s*\{{")
    found = head.search(_COMMENT.sub(" ", text))
    constant = [_is_constant(parameter) for parameter in found[1].split(",")] if found else []
    return tuple(constant) if len(constant) == count else (False,) * count


def _is_constant(parameter: str) -> bool:
    """Whether what a parameter points to is const."""
    stars = parameter.split("*")
    return len(stars) > 1 and "const" in _WORD.findall(stars[-2])


def _bodies(text: str) -> dict[str, set[str]]:
    """The words in the body of each function, class and macro, by name; those of one name are joined."""
    bodies: dict[str, set[str]] = {}
    for match in _DEFINE.finditer(text):
        bodies.setdefault(match[1], set()).update(_WORD.findall(match[2]))
    text = _DIRECTIVE.sub(" ", text)
    for head, body in _blocks(text):
        for name in _names(head):
            bodies.setdefault(name, set()).update(_WORD.findall(body))
    return bodies


def _names(head: str) -> list[str]:
    """The names that the text before an opening brace gives to the block: the class, or the function."""
    names = [a or b for a, b in _NAMED.findall(head)]
    return [name for name in names if name not in _NOT_NAMES]


def _blocks(text: str) -> list[tuple[str, str]]:
    """(head, body) of all outermost blocks; those in namespaces and `extern "C"` count as outermost."""
    blocks = []
    begin = 0
    while (brace := text.find("{", begin)) >= 0:
        head = text[begin:brace].rpartition(";")[2].rpartition("}")[2]
        if re.search(r"\bnamespace\b[^()]*$|\bextern\s*$", head):
            begin = brace + 1
            continue
        end = _closing(text, brace)
        blocks.append((head, text[brace:end]))
        begin = end
    return blocks


def _closing(text: str, brace: int) -> int:
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, brace):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(text)
