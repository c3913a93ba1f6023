"""Record the demo as a moving picture of a terminal: an SVG for the README.

    python docs/record_demo.py docs/demo.svg

The demo runs once. The lines of some of its scenes appear in the order and with the pauses of the
run; long pauses are shortened. The picture needs no script: CSS moves the lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.style import Style
from rich.text import Text

STORY = Path(__file__).parents[1] / "examples" / "mnist" / "story.py"
COLUMNS, ROWS = 100, 28
WIDTH, HEIGHT = 8.43, 19
"""The size of a character in pixels, for a font of 14 pixels."""
MARGIN, BAR = 16, 34
SHORTEST, LONGEST, READING, END = 0.06, 0.9, 1.6, 6.0
"""Seconds: between two lines, after a scene, and at the end."""
SCENE = re.compile(r"([0-9]+)\. ")
SCENES = {"4": "--target aws", "5": "", "8": "", "9": "--target aws"}
"""The scenes that are shown, and what their commands have."""
COLOURS = {1: "#ff7b72", 2: "#7ee787", 3: "#e3b341", 4: "#79c0ff"}
"""The colours of a terminal, by their numbers in ANSI's order."""
GROUND = "#0d1117"
PROMPT = Style(bold=True, color="blue")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the terminal, and the second of the picture in which it appears."""

    text: Text
    second: float


def run() -> Iterator[tuple[float, str]]:
    """Run the demo, and yield each line with its time."""
    environ = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(  # noqa: S603 - the demo
        [sys.executable, str(STORY)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield time.monotonic(), line.rstrip("\n")
    if process.returncode:
        raise SystemExit(f"the demo exited with {process.returncode}")


def shown(lines: Iterable[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Yield the lines of the scenes that are shown."""
    command_has, is_shown = "", False
    for second, line in lines:
        if match := SCENE.match(line):
            is_shown, command_has = match[1] in SCENES, SCENES.get(match[1], "")
        elif line.startswith("$ "):
            is_shown = is_shown or bool(command_has)
            is_shown = is_shown and command_has in line
        if is_shown:
            yield second, line


def timed(lines: Iterable[tuple[float, str]]) -> list[Line]:
    """Return the lines with their seconds in the picture, broken as a terminal does."""
    result: list[Line] = []
    now, before = 0.5, None
    for second, line in lines:
        pause = min(LONGEST, max(SHORTEST, second - before)) if before is not None else SHORTEST
        now += READING if SCENE.match(line) and result else pause
        before = second
        styled = Text.from_ansi(line)
        if line.startswith("$ ") or SCENE.match(line):
            styled = Text(line, PROMPT if line.startswith("$ ") else Style(bold=True))
        pieces = [styled[at : at + COLUMNS] for at in range(0, max(1, len(styled)), COLUMNS)]
        result.extend(Line(piece, now) for piece in pieces)
    return result


def picture(lines: Sequence[Line]) -> str:
    """Return the SVG: a rectangle covers the lines that have not appeared yet."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + BAR + MARGIN
    texts = "\n".join(_line(number, line.text) for number, line in enumerate(lines))
    lights = "".join(
        f'<circle cx="{20 + 18 * index}" cy="17" r="5.5" fill="{colour}"/>'
        for index, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    animated = f"{_length(lines):.1f}s step-end infinite"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" \
aria-labelledby="title">
<title id="title">The demo in a terminal: a release, a refused version, a canary</title>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
fill: #e6edf3; white-space: pre }}
.lines {{ transform: translateY({_scrolled(len(lines))}px); animation: lines {animated} }}
.cover {{ transform: translateY({_covered(len(lines))}px); animation: cover {animated} }}
@media (prefers-reduced-motion: reduce) {{ .lines, .cover {{ animation: none }} }}
@keyframes lines {{
{_keyframes(lines, _scrolled)}
}}
@keyframes cover {{
{_keyframes(lines, _covered)}
}}
</style>
<rect width="100%" height="100%" rx="9" fill="{GROUND}"/>
{lights}
<svg x="{MARGIN}" y="{BAR}" width="{COLUMNS * WIDTH:.0f}" height="{ROWS * HEIGHT}">
<g class="lines">
{texts}
</g>
<rect class="cover" width="100%" height="100%" fill="{GROUND}"/>
</svg>
</svg>
"""


def _line(number: int, text: Text) -> str:
    spans = "".join(_span(piece) for piece in text.divide(_edges(text)) if piece.plain)
    return f'<text y="{number * HEIGHT + 14}">{spans}</text>' if spans else ""


def _edges(text: Text) -> list[int]:
    return sorted({edge for span in text.spans for edge in (span.start, span.end)})


def _span(piece: Text) -> str:
    styles = [span.style for span in piece.spans if isinstance(span.style, Style)]
    style = Style.combine([Style.parse(str(piece.style)) if piece.style else Style(), *styles])
    number = style.color.number if style.color else None
    colour = COLOURS.get(number, "") if number else ""
    fill = f' style="fill: {colour}"' if colour else ""
    weight = ' font-weight="bold"' if style.bold else ""
    content = escape(piece.plain, quote=False)
    return f"<tspan{fill}{weight}>{content}</tspan>" if fill or weight else content


def _scrolled(count: int) -> int:
    """Return how far the lines are moved when `count` of them have appeared."""
    return min(0, (ROWS - count) * HEIGHT)


def _covered(count: int) -> int:
    """Return where the cover begins when `count` lines have appeared."""
    return min(count, ROWS) * HEIGHT


def _length(lines: Sequence[Line]) -> float:
    return lines[-1].second + END


def _keyframes(lines: Sequence[Line], place: Callable[[int], int]) -> str:
    length = _length(lines)
    places = {0.0: place(0)}
    for count, line in enumerate(lines, start=1):
        places[100 * line.second / length] = place(count)
    places[100.0] = place(len(lines))
    return "\n".join(f"{at:.2f}% {{ transform: translateY({y}px) }}" for at, y in places.items())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(timed(shown(run()))), "utf-8")
