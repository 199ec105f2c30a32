"""Walks a shell script from top to bottom: its variables, its commands, the files it writes.

Nothing is run. Branches that their condition decides are followed alone; of others both are walked,
and what they set differently is unknown behind them, as is everything that a loop or a function
sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from workload.dialects.shell_branches import behind, forget, one_of, read_pattern
from workload.dialects.shell_command import (
    ASSIGNMENT,
    Assigned,
    Block,
    Command,
    Script,
    array_name,
    opens_array,
)
from workload.dialects.shell_conditions import condition, takes_arguments
from workload.dialects.shell_values import (
    MANY,
    MAX_FIELDS,
    Field,
    Piece,
    Text,
    Value,
    Variables,
    whole,
)
from workload.splice.shell_text import Operator, Part, ShellText, Token, Word

_DECLARES = frozenset({"export", "declare", "typeset", "local", "readonly"})
_OPENS = {"if": "if", "while": "loop", "until": "loop", "for": "loop", "select": "loop",
          "case": "case", "{": "group"}  # fmt: skip
_CLOSES = {"fi": "if", "done": "loop", "esac": "case", "}": "group"}
_REDIRECTS = frozenset({">", ">>", "<", "&>", "&>>", ">&", "<&", "<<<"})
MAX_COMMANDS = 5_000
MAX_BLOCKS = 100
"""Constructs inside each other; what is nested deeper is no script to launch a run."""


def walk_shell(shell: ShellText, held: Mapping[str, Value] | None = None) -> Script:
    """Everything that a script sets and calls; `held` are variables that are set before it."""
    return _Walk(shell, held or {}).run()


class _Walk:
    def __init__(self, shell: ShellText, held: Mapping[str, Value]) -> None:
        self.tokens: Sequence[Token] = shell.tokens
        self.variables = Variables(held)
        self.blocks: list[Block] = []
        self.script = Script()
        for found in re.finditer(r"(?m)^[ \t]*#(?:SBATCH|BSUB|PBS|FLUX)\b[^\n]*", shell.text):
            self.script.directives.append((found[0], found.start()))

    def run(self) -> Script:
        """The whole script."""
        at = 0
        while at < len(self.tokens) and len(self.script.commands) < MAX_COMMANDS:
            if len(self.blocks) > MAX_BLOCKS:
                break
            at = self._step(at)
        if at < len(self.tokens):
            self.script.cut = self.tokens[at].start
        return self.script

    def _step(self, at: int) -> int:
        token = self.tokens[at]
        top = self.blocks[-1] if self.blocks else None
        if top is not None and top.kind == "case" and top.pattern:
            return self._pattern(at, top)
        if isinstance(token, Operator):
            self._loose(token, top)
            return at + 1
        word = token.plain
        if word in _CLOSES:
            self._close(_CLOSES[word])
            return at + 1
        if word in _OPENS:
            return self._open(word, at)
        if word in ("then", "do", "!", "time", "coproc"):
            self._enter(word, top)
            return at + 1
        if word in ("else", "elif"):
            self._branch(word, top)
            return at + 1
        if word == "function" or self._is_definition(at):
            return self._function(at)
        return self._command(at)

    def _loose(self, token: Operator, top: Block | None) -> None:
        """An operator where a command could begin."""
        if token.text == "(":
            self.blocks.append(Block("subshell", self.variables.copy()))
        elif token.text == ")" and top is not None and top.kind == "subshell":
            self.blocks.pop()
            self.variables = top.before
        elif token.text in (";;", ";&", ";;&") and top is not None and top.kind == "case":
            if top.live:
                top.branches.append(self.variables)
            self.variables = top.before.copy()
            top.pattern, top.words = True, []

    def _pattern(self, at: int, top: Block) -> int:
        """Past the pattern of a `case`, up to its `)`."""
        token = self.tokens[at]
        if isinstance(token, Word) and token.plain == "esac":
            self._close("case")
        elif isinstance(token, Operator) and token.text == ")":
            read_pattern(top, top.words)
        elif isinstance(token, Word):
            top.words.append(token)
        return at + 1

    def _open(self, word: str, at: int) -> int:
        kind = _OPENS[word]
        block = Block(kind, self.variables.copy())
        self.blocks.append(block)
        if word in ("for", "select"):
            return self._for(at + 1)
        if word == "case":
            while at < len(self.tokens):
                token = self.tokens[at]
                at += 1
                if isinstance(token, Word) and token.plain == "in":
                    break
                if isinstance(token, Word) and token.plain != "case":
                    block.subject = whole(self.variables.join(token.parts))
            block.pattern = True
            return at
        return at + 1

    def _for(self, at: int) -> int:
        """`for NAME in words`: one word is its value, of several none is known."""
        name = self.tokens[at] if at < len(self.tokens) else None
        at += 1
        words: list[Word] = []
        while at < len(self.tokens):
            token = self.tokens[at]
            if isinstance(token, Operator) and token.text in ("\n", ";"):
                break
            if isinstance(token, Word):
                if token.plain == "do":
                    break
                words.append(token)
            at += 1
        if isinstance(name, Word) and name.plain is not None:
            fields = [one for word in words[1:] for one in self.variables.fields(word)]
            texts = [one.pieces for one in fields]
            self.variables.held[name.plain] = Value(one_of(name.plain, name.start, texts))
        return at

    def _enter(self, word: str | None, top: Block | None) -> None:
        if word == "then" and top is not None and top.kind == "if":
            top.before = self.variables.copy()
            top.live = top.decided is not False
        elif word == "do" and top is not None and top.kind == "loop":
            top.live = top.decided is not False
            top.entered = True

    def _branch(self, word: str | None, top: Block | None) -> None:
        """`else` and `elif`: from the variables that held before."""
        if top is None or top.kind != "if":
            return
        if top.live:
            top.branches.append(self.variables)
        self.variables = top.before.copy()
        done = top.decided is True
        top.has_else |= word == "else"
        top.live = not done
        if word == "elif":
            top.decided = True if done else None
            top.live = not done

    def _close(self, kind: str) -> None:
        while self.blocks:
            block = self.blocks.pop()
            if block.kind == "function" and kind == "group":
                forget(block, self.variables, "a function of the script sets it")
                return
            if block.kind == kind:
                self._merge(block)
                return

    def _merge(self, block: Block) -> None:
        if block.kind == "loop" and block.decided is not False:
            forget(block, self.variables, "a loop of the script sets it")
        elif block.kind == "loop":
            self.variables = block.before
        elif block.kind != "group":
            self.variables = behind(block, self.variables)

    def _is_definition(self, at: int) -> bool:
        following = self.tokens[at + 1 : at + 3]
        return [opened.text for opened in following if isinstance(opened, Operator)] == ["(", ")"]

    def _function(self, at: int) -> int:
        """Past the head of a function: its body is walked as if it were called once."""
        while at < len(self.tokens):
            token = self.tokens[at]
            at += 1
            if isinstance(token, Word) and token.plain == "{":
                break
        self.blocks.append(Block("function", self.variables.copy()))
        return at

    def _command(self, at: int) -> int:
        """One simple command, up to the operator that ends it."""
        prefix: list[Assigned] = []
        words: list[Word] = []
        stdout: str | None = None
        document: tuple[Part, ...] | None = None
        start = end = self.tokens[at].start
        while at < len(self.tokens):
            token = self.tokens[at]
            if isinstance(token, Operator):
                if token.text in ("<<", "<<-"):
                    document = token.body
                elif token.text in _REDIRECTS:
                    target = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
                    if isinstance(target, Word):
                        if token.text in (">", ">>"):
                            stdout = whole(self.variables.join(target.parts))
                        if words and words[-1].plain in ("1", "2") and words[-1].end == token.start:
                            words.pop()
                            end = words[-1].end if words else start
                        at += 1
                elif token.text == "(" and self._is_array(at, words):
                    at = self._array(at, words)
                    end = self.tokens[at - 1].end
                    continue
                else:
                    break
                at += 1
                continue
            assigned = self._assigned(token) if not words or self._declares(words) else None
            if assigned is not None and not words:
                prefix.append(assigned)
            else:
                words.append(token)
            end = token.end
            at += 1
        self._run(prefix, words, start, end, stdout, document)
        return at

    def _declares(self, words: list[Word]) -> bool:
        return words[0].plain in _DECLARES

    def _is_array(self, at: int, words: list[Word]) -> bool:
        """`NAME=(` with nothing between."""
        before = self.tokens[at - 1] if at else None
        return (
            isinstance(before, Word)
            and before.end == self.tokens[at].start
            and bool(array_name(before))
        )

    def _array(self, at: int, words: list[Word]) -> int:
        """The elements of an array, which becomes the variable's value."""
        head = self.tokens[at - 1]
        name, more = array_name(head) if isinstance(head, Word) else ("", "")
        at += 1
        found: list[Text] = []
        while at < len(self.tokens):
            token = self.tokens[at]
            at += 1
            if isinstance(token, Operator) and token.text == ")":
                break
            if isinstance(token, Word):
                found += [one.pieces for one in self.variables.fields(token)]
        if self._reached():
            old = self.variables.held.get(name)
            kept = old.fields if more and old is not None and old.fields is not None else ()
            self.variables.held[name] = Value(fields=(*kept, *found))
        return at

    def _assigned(self, word: Word) -> Assigned | None:
        first = word.parts[0] if word.parts else None
        if first is None or first.kind != "text" or first.quoted:
            return None
        found = ASSIGNMENT.match(first.text)
        if found is None:
            return None
        rest = first.text[found.end() :]
        begin = first.start + found.end()
        parts = (Part("text", rest, begin, first.end), *word.parts[1:])
        value = self.variables.join(parts)
        if not value:
            value = (Piece("", begin),)
        old = self.variables.held.get(found["name"])
        if found["more"] and old is not None and old.fields is None:
            value = (*old.text, *value)
        return Assigned(found["name"], value, word.start, word.end)

    def _run(
        self,
        prefix: list[Assigned],
        words: list[Word],
        start: int,
        end: int,
        stdout: str | None,
        document: tuple[Part, ...] | None,
    ) -> None:
        """Does what a command does to the variables, and notes it."""
        name = words[0].plain if words else None
        if self.blocks and self._is_test(name):
            self._decide(words)
        if not self._reached():
            return
        if not words:
            for one in prefix:
                if opens_array(one, self.variables):
                    continue
                self.variables.held[one.name] = Value(one.value)
            return
        self._builtin(name, words, document)
        fields = self._fields(words)
        exported = {
            one: (self.variables.held[one].text, at)
            for one, at in self.variables.exported.items()
            if one in self.variables.held
        }
        nested = next(
            (block.kind for block in reversed(self.blocks)
             if block.kind in ("if", "loop", "case", "function") and block.decided is not True),
            "",
        )  # fmt: skip
        self.script.commands.append(
            Command(fields, tuple(prefix), start, end, exported, nested, stdout, document)
        )

    def _fields(self, words: list[Word]) -> tuple[Field, ...]:
        """The arguments of a command; behind very many, the rest is not known."""
        found: list[Field] = []
        for word in words:
            found += self.variables.fields(word)
            if len(found) > MAX_FIELDS:
                more = Field((Piece("", word.start, MANY),), word, False)
                return (*found[:MAX_FIELDS], more)
        return tuple(found)

    def _builtin(
        self, name: str | None, words: list[Word], document: tuple[Part, ...] | None
    ) -> None:
        """What a command of the shell itself does to the variables."""
        if name in _DECLARES:
            self._declare(words)
        elif name == "unset":
            for word in words[1:]:
                self.variables.held.pop(word.plain or "", None)
        elif name in ("read", "mapfile", "readarray", "getopts"):
            self._read(words, document)
        elif name == ":":
            for word in words[1:]:
                self.variables.fields(word)  # `${NAME:=value}` sets it

    def _reached(self) -> bool:
        return all(block.live for block in self.blocks)

    def _declare(self, words: list[Word]) -> None:
        exports = words[0].plain == "export" or any(word.plain == "-x" for word in words[1:])
        for word in words[1:]:
            one = self._assigned(word)
            if one is not None and not opens_array(one, self.variables):
                self.variables.held[one.name] = Value(one.value)
            name = one.name if one is not None else word.plain
            if exports and name is not None and re.fullmatch(r"[A-Za-z_]\w*", name):
                self.variables.exported[name] = words[0].start

    def _read(self, words: list[Word], document: tuple[Part, ...] | None) -> None:
        names = [word.plain for word in words[1:] if word.plain and word.plain[0] not in "-'\""]
        if words[0].plain == "read" and document is not None and names:
            self.variables.held[names[-1]] = Value(self.variables.join(document))
            return
        for name in names:
            self.variables.held[name] = Value((Piece("", words[0].start, "it is read from input"),))

    def _is_test(self, name: str | None) -> bool:
        block = self.blocks[-1]
        if block.kind == "loop" and not block.entered:
            return name in ("[", "[[", "test", "getopts")
        return name in ("[", "[[", "test") and block.kind == "if"

    def _decide(self, words: list[Word]) -> None:
        """Whether the condition of an open `if` holds, where the text settles it."""
        block = self.blocks[-1]
        if block.kind == "loop":
            block.decided = False if takes_arguments(words) else None
            return
        holds = condition([self.variables.join(word.parts) for word in words[1:]], words[1:])
        if block.decided is None and not block.branches:
            block.decided = holds
