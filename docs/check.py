#!/usr/bin/env python3
"""Checks the repository's Markdown: links and anchors lead somewhere, JSON blocks parse, the `./dev`
commands named exist, and the index of decisions is whole. What the examples answer is checked by
api/tests/documents/readme.rs."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_OURS = {".git", "target", "data"}

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
INLINE_CODE = re.compile(r"`[^`\n]*`")
DEV_COMMAND = re.compile(r"\./dev ([a-z]+)")


def main():
    documents = sorted(path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts))
    known = commands()
    mistakes = [mistake for path in documents for mistake in check(path, known)] + list(decisions())
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    if not documents:
        sys.exit("there is no document to check")
    print(f"{len(documents)} documents, {len(mistakes)} mistakes")
    sys.exit(1 if mistakes else 0)


def check(path, known_commands):
    """Yields what is wrong with one document, each as `path: what`."""
    name = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    for _, language, body in FENCE.findall(text):
        yield from (f"{name}: {mistake}" for mistake in check_block(language, body))
    for command in set(DEV_COMMAND.findall(text)) - known_commands:
        yield f"{name}: there is no ./dev {command}"
    prose = INLINE_CODE.sub("", FENCE.sub("", text))
    for target in LINK.findall(prose):
        if not re.match(r"[a-z]+:", target) and not leads_somewhere(path, target):
            yield f"{name}: the link to {target} leads nowhere"


def decisions():
    """Yields which decision the index lacks, and which number two of them have."""
    folder = ROOT / "docs/decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    rows = re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \| \S", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    if [name for _, name in rows] != records:
        yield f"docs/decisions/README.md: its rows are not the records in their order: {set(records) ^ {name for _, name in rows}}"
    for number in {name[:4] for name in records}:
        if sum(name.startswith(number) for name in records) > 1:
            yield f"docs/decisions: there are two records {number}"
    yield from (f"docs/decisions/README.md: {number} leads to {name}" for number, name in rows if not name.startswith(number))


def check_block(language, body):
    parsers = {"json": json.loads}
    if language in parsers:
        try:
            parsers[language](body)
        except ValueError as error:
            yield f"a {language} block does not parse ({error}): {body.strip()[:60]!r}"


def leads_somewhere(document, target):
    path, _, anchor = target.partition("#")
    file = (document.parent / path).resolve() if path else document
    if not file.exists():
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file))


def anchors(document):
    """The names that GitHub gives to a document's headings."""
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose)}


def commands():
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^\./dev ([a-z]+)", usage, re.MULTILINE))


if __name__ == "__main__":
    main()
