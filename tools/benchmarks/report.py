"""Medians, ratios and tables of measurements."""

import os
import platform
import sys
from pathlib import Path
from statistics import median

import keras
from rich.console import Console
from rich.table import Table

import keras_s2s


def summarize(rounds):
    """From `{case: [window, ...]}`, in the order of the rounds, to `{case: figures}`.

    A share of the machine's rate is relative to the matrix product measured in the same round, with
    the same setting. If there are several settings, the names of cases end with `", "` and the
    setting.
    """
    figures = {}
    for name, windows in rounds.items():
        _, comma, setting = name.partition(", ")
        products = rounds.get(f"gemm{comma}{setting}", [])
        figures[name] = _figures(windows, [w["flops"] / w["seconds"] for w in products])
    return figures


def _figures(windows, gemm):
    seconds = [window["seconds"] for window in windows if "seconds" in window]
    figures = {}
    if seconds:
        figures = {"seconds": median(seconds), "spread": max(seconds) / min(seconds) - 1}
    rates = [w["tokens"] / w["seconds"] for w in windows if "tokens" in w]
    rates += [w["tokens_per_second"] for w in windows if "tokens_per_second" in w]
    if rates:
        figures["tokens_per_second"] = median(rates)
        figures.setdefault("spread", max(rates) / min(rates) - 1)
    work = [w["flops"] / w["seconds"] for w in windows if "flops" in w]
    if work:
        figures["gflops_per_second"] = median(work) / 1e9
        if gemm:
            figures["share_of_gemm"] = median(w / g for w, g in zip(work, gemm))
    for key in ("peak_mib", "traces", "padding"):
        if key in windows[-1]:
            figures[key] = windows[-1][key]
    return figures


#: Beginnings of environment variables that change how fast a program is.
_VARIABLES = tuple(
    "TF_CPU_ TF_ENABLE_ TF_NUM_ TF_XLA_ XLA_ JAX_ NVIDIA_ OMP_ MKL_ MALLOC_ GLIBC_TUNABLES".split()
)


def gpus():
    """The names of the GPUs that the backend computes on."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if backend == "torch":
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [detail.get("device_name", "GPU") for detail in details]


def machine():
    """The machine, the versions and the environment variables, a dict."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = f"{names[0].split(':')[1].strip()} x {len(names)}" if names else cpu
    return {
        "cpu": cpu,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "keras_s2s": keras_s2s.__version__,
        "backend": keras.backend.backend(),
        "backend_version": sys.modules[keras.backend.backend()].__version__,
        "gpus": gpus(),
        "variables": {k: v for k, v in os.environ.items() if k.startswith(_VARIABLES)},
    }


_COLUMNS = {
    "seconds": "{:.3g}",
    "tokens_per_second": "{:,.0f}",
    "gflops_per_second": "{:.0f}",
    "share_of_gemm": "{:.0%}",
    "spread": "{:.0%}",
    "peak_mib": "{:,}",
    "traces": "{}",
    "padding": "{:.0%}",
}


def show(results):
    """Prints the table of `summarize`'s figures, of our own cases and of peers."""
    columns = [c for c in _COLUMNS if any(c in row for row in results.values())]
    table = Table("case", *(c.replace("_", " ") for c in columns))
    for case, row in results.items():
        table.add_row(case, *(_COLUMNS[c].format(row[c]) if c in row else "" for c in columns))
    _console().print(table)


def compare(before, after):
    """Prints how many times as fast `after` is, for each case of ours that both have.

    The ratio of shares of the machine's rate is next to it: it is 1 if only the machine was faster.
    Returns how many cases there were.
    """
    table = Table("case", "before, s", "after, s", "times as fast", "by share of GEMM")
    for case, row in after.items():
        old = before.get(case, {})
        if "seconds" not in row or "seconds" not in old:
            continue  # A peer's rate, not one of our cases.
        share = ""
        if "share_of_gemm" in row and "share_of_gemm" in old:
            share = f"{row['share_of_gemm'] / old['share_of_gemm']:.2f}"
        values = old["seconds"], row["seconds"], old["seconds"] / row["seconds"]
        table.add_row(case, *(f"{v:.3g}" for v in values[:2]), f"{values[2]:.2f}", share)
    _console().print(table)
    return table.row_count


def _console():
    # Piped output must not be cut to the 80 columns that rich then takes.
    console = Console()
    return console if console.is_terminal else Console(width=150)


def show_growth(found, slope):
    """Prints a table for each axis, with the slope of each column under it."""
    for axis, rows in found.items():
        keys = [key for key in ("train", "decode") if key in rows[0]]
        table = Table(axis, *(f"{key}, s" for key in keys))
        for row in rows:
            table.add_row(f"{row['size']:,}", *(f"{row[key]:.3g}" for key in keys))
        table.add_row("slope", *(f"{slope(rows, key):.2f}" for key in keys))
        _console().print(table)


def show_operations(seconds, number, top):
    """Prints the `top` kinds of operations that took longest, the others, and all of them."""
    total = sum(seconds.values())
    table = Table("operation", "seconds", "of all", "number", "microseconds each")
    largest = [kind for kind, _ in seconds.most_common(top)]
    rows = [(kind, seconds[kind], number[kind]) for kind in largest]
    others = [kind for kind in seconds if kind not in largest]
    rows.append(("others", sum(seconds[k] for k in others), sum(number[k] for k in others)))
    rows.append(("all", total, sum(number.values())))
    for kind, spent, count in rows:
        each = f"{spent / max(count, 1) * 1e6:,.0f}"
        table.add_row(kind, f"{spent:.3g}", f"{spent / total:.0%}", f"{count:,}", each)
    _console().print(table)
