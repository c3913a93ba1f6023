"""The lines of a metrics page."""


def lines(metrics, start=""):
    return [
        line
        for line in metrics.page().decode().splitlines()
        if line.startswith(start) and not line.startswith("#")
    ]
