"""Draws the figures of docs/performance.md, as SVG that can be read on a light page and on a dark one."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as pyplot
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from machine import median

INK, GRID, PAGE = "#1f2328", "#d1d9e0", "#ffffff"
ON_DARK = {INK: "#e6edf3", GRID: "#3d444d", PAGE: "#0d1117"}
# By the beginning of a contender's name; each has its own marker, for readers who do not see the colours.
LINES = {"sts-verify": ("#0969da", "o"), "Go": ("#bc4c00", "s"), "floor": ("#8250df", "^")}
LINES_ON_DARK = {"#0969da": "#58a6ff", "#bc4c00": "#f0883e", "#8250df": "#bc8cff"}
SIZE = (7.2, 4.0)  # inches of 72 points; the texts have 12 of these, and the SVG is as large
TEXT = 12


def logarithmic(axes):
    axes.set_xscale("log")


def logarithmic_with_zero(axes):
    axes.set_xscale("symlog", linthresh=10, linscale=0.5)


def even_to_one_kib(axes):
    """Linear up to one KiB, logarithmic above."""
    axes.set_xscale("symlog", base=2, linthresh=1024, linscale=2)


# Of each axis of the data: the file, the title, the axis's title, its scale, and how its points are written.
FIGURES = {
    "connections": ("connections", "CPU per answer over connections", "connections at once", logarithmic, "{:,}".format),
    "delay": ("latency", "CPU per answer over STS's latency", "time until STS answers, ms ({rate} requests a second)",
              logarithmic_with_zero, "{:,}".format),
    "token": ("token", "CPU per answer over the session token's length", "session token, KiB", even_to_one_kib,
              lambda length: f"{length / 1024:.1g}" if 0 < length < 1024 else f"{length // 1024}"),
}


def draw(data, directory):
    """Draws all figures, and returns the paths of the files."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sts-verify", "font.size": TEXT, "text.color": INK,
                                "font.family": "sans-serif", "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
                                "ytick.color": INK, "figure.facecolor": PAGE, "axes.facecolor": PAGE, "grid.color": GRID})
    return [figure(data, axis, directory) for axis in FIGURES if axis in data["cpu_microseconds"]]


def figure(data, axis, directory):
    name, title, below, scale, written = FIGURES[axis]
    drawing, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    points = set()
    for contender, measured in data["cpu_microseconds"][axis].items():
        points |= {int(point) for point in measured}
        line(axes, contender, measured)
    scale(axes)
    axes.xaxis.set_major_locator(FixedLocator(sorted(points)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda point, _: written(round(point)))
    # Equal ratios are equal distances, because contenders are compared by ratios.
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title, fontsize=TEXT + 2)
    axes.set_xlabel(below.format(**data))
    axes.set_ylabel("CPU per answer, µs")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    drawing.legend(loc="outside lower center", ncols=3, frameon=False)
    file = directory / f"{name}.svg"
    drawing.savefig(file, metadata={"Date": None})
    pyplot.close(drawing)
    file.write_text(readable_on_dark(file.read_text()))
    return file


def line(axes, contender, measured):
    """The medians, with the range of the measurements shaded."""
    colour, mark = next(look for start, look in LINES.items() if contender.startswith(start))
    points = sorted(measured, key=int)
    places = [int(point) for point in points]
    axes.fill_between(places, [min(measured[point]) for point in points], [max(measured[point]) for point in points],
                      color=colour, alpha=0.15, linewidth=0)
    axes.plot(places, [median(measured[point]) for point in points], color=colour, marker=mark, linewidth=2, label=contender)


def readable_on_dark(svg):
    """Other colours where the reader's page is dark."""
    rules = "".join(f'[style*="{kind}: {colour}"] {{ {kind}: {other} !important }}\n'
                    for colour, other in (ON_DARK | LINES_ON_DARK).items() for kind in ("fill", "stroke"))
    return svg.replace("<defs>", f"<style>\n@media (prefers-color-scheme: dark) {{\n{rules}}}\n</style>\n <defs>", 1)
