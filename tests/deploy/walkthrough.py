"""The upgrade steps in docs/deploying.md, and their commands, one string per block."""

import re

import program

TOOLS = ("Helm", "Kustomize")


def steps():
    """The steps by heading: the command blocks as (tool, text), and the text. The tool is None if a block is for
    both."""
    section = re.search(r"^## Upgrades\n(.*?)^## ", program.read("docs/deploying.md"), re.MULTILINE | re.DOTALL)[1]
    _, *parts = re.split(r"^### ", section, flags=re.MULTILINE)
    return {part.split("\n", 1)[0]: (blocks(part), part) for part in parts}


def blocks(part):
    """Blocks indented by four spaces. If a block is for one tool, the paragraph before it begins with the tool's
    name."""
    found = []
    for before, text in re.findall(r"((?:^\S.*\n)*)\n((?:^ {4}.*\n)+)", part, re.MULTILINE):
        tool = next((tool for tool in TOOLS if re.match(rf"{tool}\b[^.]*:\n$", before)), None)
        found.append((tool, re.sub(r"^ {4}", "", text, flags=re.MULTILINE)))
    return found
