"""Times gputrain on a GPU: steps beside PyTorch and JAX, an epoch, and each kernel against its limit.

    python benchmarks/gpu.py                    everything
    python benchmarks/gpu.py --quick            fewer rounds and smaller kernels
    python benchmarks/gpu.py --models cnn-128 --tf32 off --no-kernels

It needs a checkout, NumPy, tqdm and CuPy; PyTorch and JAX are timed where they are installed. All sides train
the same model from the same weights on the same random images, which lie on the device as float32. A step is,
for all: the gather of a batch in a shuffled order, forward, loss, backward, Adam (fused), and loss and
accuracy added up on the device. Nothing is fetched between steps. Rounds take turns, each from an idle device
to an idle device.

Before anything is timed, losses are compared with those of the NumPy device, and kernels with theirs.
Exit code: 0 done; 1 the GPU cannot be used; 2 wrong usage; 3 done, but something failed or computed wrong
results, which the last section of the output names.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # a plain checkout, nothing installed
    sys.path.insert(0, str(ROOT))

from benchmarks.on_gpu import checks, kernel_cases, kernels, machine, ours, peers, report, timing  # noqa: E402
from benchmarks.on_gpu.tasks import MOST_SAMPLES, TASKS, Data, Task, make_data, shrunk  # noqa: E402
from gputrain import backend, config  # noqa: E402
from gputrain.errors import DeviceError  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
NO_TIMINGS = (
    "EMULATED: kernels ran on the host's CPU, one thread after another. These timings mean nothing; "
    "they show only that the program runs."
)
A_STEP = "for all sides: shuffled gather, forward, loss, backward, fused Adam, loss and accuracy summed"
EPOCHS_BEFORE = 3  # compile, record, record the short last batch


@dataclass(frozen=True)
class Scale:
    """How much is done.

    Attributes:
        samples: images of a data set at most.
        steps: of a round, about.
        rounds: of each side.
        learning: steps in which the loss must fall.
        epochs: of fit that are timed.
        repetitions: of each kernel.
        flush: bytes written before each, at least; four times the cache if that is more.
        copied, side: bytes and rows of what the ceilings are measured with.
        sizes: of the kernels' cases.
        shrunk: whether batches are small ones.
    """

    samples: int
    steps: int
    rounds: int
    learning: int
    epochs: int
    repetitions: int
    flush: int
    copied: int
    side: int
    sizes: kernel_cases.Sizes
    shrunk: bool = False


FULL = Scale(MOST_SAMPLES, 400, 20, 50, 10, 50, 256 << 20, 1 << 30, 8192, kernel_cases.FULL)
QUICK = Scale(MOST_SAMPLES, 100, 5, 50, 5, 15, 256 << 20, 1 << 28, 4096, kernel_cases.SMALLER)
EMULATED = Scale(40, 4, 3, 15, 2, 3, 1 << 12, 1 << 14, 64, kernel_cases.TINY, shrunk=True)


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    as_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="benchmarks/gpu.py", description=__doc__, formatter_class=as_is)
    add, families = (
        parser.add_argument,
        sorted({case.family for case in kernel_cases.all_cases(EMULATED.sizes)}),
    )
    add("--quick", action="store_true", help="fewer rounds, steps and repetitions, smaller kernels")
    add(
        "--models",
        nargs="+",
        choices=list(TASKS),
        default=list(TASKS),
        help=f"of {list(TASKS)}; default: all",
        metavar="MODEL",
    )
    add("--rounds", type=positive, help=f"rounds of each side ({FULL.rounds}; {QUICK.rounds} with --quick)")
    add("--steps", type=positive, help=f"steps of a round, about ({FULL.steps}; {QUICK.steps} with --quick)")
    add("--no-models", action="store_true", help="the kernels alone: no steps, launches or epoch")
    add("--no-kernels", action="store_true", help="leave out the kernels one by one")
    add(
        "--families",
        nargs="+",
        choices=families,
        metavar="FAMILY",
        help=f"kernels: of {families}; default: all",
    )
    add("--no-peers", action="store_true", help="time gputrain alone")
    add(
        "--peers",
        nargs="+",
        choices=peers.NAMES,
        default=list(peers.NAMES),
        metavar="PEER",
        help=f"of {list(peers.NAMES)}; default: all",
    )
    add(
        "--tf32", choices=["on", "off", "both"], default="both", help="for all sides (default: both, in turn)"
    )
    add(
        "--backend",
        choices=["cupy", "emulated"],
        default="cupy",
        help="emulated runs the kernels on the host, at tiny sizes, to try the program; timings mean nothing",
    )
    add("--output", type=Path, metavar="DIR", help="where the JSON file goes (default: benchmarks/results)")
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, checked; wrong ones end the program with exit code 2."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    emulated = options.backend == "emulated"
    if options.output is None and not emulated:
        options.output = RESULTS
    if emulated and options.output is not None and options.output.resolve() == RESULTS:
        parser.error(
            "results of the emulated device are not kept in benchmarks/results; choose another --output"
        )
    if options.output is not None:
        try:
            options.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"--output {options.output}: {error.strerror}")
    return options


def scale_of(options: argparse.Namespace) -> Scale:
    """How much these options ask for."""
    base = EMULATED if options.backend == "emulated" else QUICK if options.quick else FULL
    changes = {name: getattr(options, name) for name in ("rounds", "steps") if getattr(options, name)}
    return Scale(**{**base.__dict__, **changes})


@contextmanager
def opened(name: str) -> Iterator[Any]:
    """The device of this backend.

    Raises:
        DeviceError: it cannot be used.
    """
    if name == "cupy":
        yield backend.current_device(name)
        return
    from gputrain.backend.cupy import CupyDevice
    from tests.cuda_emulator import make

    before = backend._openers[name]
    standin = make()
    backend.register_device(name, lambda number: CupyDevice(standin.cupy, standin.blas, number, name))
    try:
        yield backend.current_device(name)
    finally:
        backend.register_device(name, before)


def say(text: str) -> None:
    """A line on stderr, above whatever bar is there."""
    tqdm.write(text, file=sys.stderr)


@dataclass
class Run:
    """One run of the benchmark, and what it has found so far."""

    options: argparse.Namespace
    scale: Scale
    gpu: Any
    path: Path | None
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def emulated(self) -> bool:
        """Whether the device is the stand-in."""
        return bool(self.options.backend == "emulated")

    def begin(self) -> None:
        """The parts of the report that are known at once."""
        options = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(self.options).items()
        }
        self.result = {
            "benchmark": "gpu.py",
            "date": date.today().isoformat(),
            "backend": self.options.backend,
            "machine": machine.describe(self.gpu),
            "options": options,
            "a_step": A_STEP,
            "models": [],
            "problems": [],
        }
        if self.emulated:
            self.result["warning"] = NO_TIMINGS

    def save(self) -> None:
        """Write the report as it is now."""
        report.write(self.path, self.result)

    def problem(self, text: str) -> None:
        """Note what is wrong, and say it at once."""
        self.result["problems"].append(text)
        say(f"WRONG: {text}")

    # ------------------------------------------------------------------------------------------------ models

    def models(self) -> None:
        """Every chosen model, without and with TF32."""
        modes = {"off": [False], "on": [True], "both": [False, True]}[self.options.tf32]
        for name in self.options.models:
            task = self._task(name)
            data = make_data(task, self._samples(task))
            expected = checks.reference(task, data)
            for tf32 in modes:
                self.guarded(
                    f"{task.title}, TF32 {'on' if tf32 else 'off'}", self.model, task, data, expected, tf32
                )
                self.save()

    def guarded(self, what: str, part: Any, *arguments: Any) -> None:
        """Run a part; one that fails is a problem, and the others go on."""
        say(what)
        try:
            part(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parts before and after it count
            say(traceback.format_exc())
            self.problem(f"{what}: {timing.in_a_line(error)}")

    def _task(self, name: str) -> Task:
        return shrunk(TASKS[name]) if self.scale.shrunk else TASKS[name]

    def _samples(self, task: Task) -> int:
        """Whole batches, as many as fit a data set and a round needs."""
        return max(1, min(self.scale.steps, self.scale.samples // task.batch)) * task.batch

    def model(self, task: Task, data: Data, expected: dict[str, Any], tf32: bool) -> None:
        """Check and time one model."""
        config.set_allow_tf32(tf32)
        figures, wrong = checks.check_ours(
            self.options.backend, task, data, expected, tf32, self.scale.learning
        )
        row = {"task": task.name, "title": task.title, "batch": task.batch, "tf32": tf32, "losses": figures}
        self.result["models"].append(row)
        for text in wrong:
            self.problem(f"{task.title}, TF32 {tf32}: {text}")
        if not wrong:
            row.update(self._timed(task, data, expected, tf32))

    def _timed(self, task: Task, data: Data, expected: dict[str, Any], tf32: bool) -> dict[str, Any]:
        """Times, ratios and missing peers."""
        epoch_steps = len(data.x) // task.batch
        epochs = max(1, self.scale.steps // epoch_steps)
        with ours.using(self.options.backend):
            mine = ours.Ours(task, data, epochs)
            setting = self._setting(task, data, mine.weights(), expected, tf32, epochs)
            names = () if self.options.no_peers else self.options.peers
            chosen = [peer for peer in peers.PEERS if peer.name in names]
            others, skipped = peers.all_ready(chosen, setting, say)
            if failed := timing.warm_up(mine):
                raise RuntimeError(failed)
            times = timing.alternate({mine.name: mine, **others}, self._rounds(), epochs * epoch_steps)
        summaries = {name: timing.summary(found) for name, found in times.items()}
        return {
            "steps_of_a_round": epochs * epoch_steps,
            "rounds": self.scale.rounds,
            "times": summaries,
            "samples": times,
            "ratios": timing.ratios(summaries, mine.name),
            "aims": report.AIMS,
            "skipped": skipped,
        }

    def _setting(
        self, task: Task, data: Data, weights: Any, expected: dict[str, Any], tf32: bool, epochs: int
    ) -> peers.Setting:
        count = min(len(data.x), max(self.scale.learning, checks.COMPARED) * task.batch)
        checked = Data(data.x[:count], data.y[:count])
        device = "cpu" if self.emulated else "cuda"
        return peers.Setting(
            task, data, checked, weights, expected, tf32, device, epochs, self.scale.learning
        )

    def _rounds(self) -> Iterator[int]:
        yield from tqdm(range(self.scale.rounds), "rounds", leave=False, file=sys.stderr)

    # --------------------------------------------------------------------------------- launches and the epoch

    def launches(self) -> None:
        """What the reference CNN's step launches, at its real batch size on every device."""
        config.set_allow_tf32(False)
        task = TASKS["cnn-128"]
        with ours.using(self.options.backend):
            found = ours.list_launches(task, make_data(task, 3 * task.batch))
        self.result["launches"] = {**found, "limit": report.MOST_LAUNCHES}
        if found["launches"] > report.MOST_LAUNCHES:
            self.problem(f"{task.title}: {found['launches']} launches, more than {report.MOST_LAUNCHES}")

    def epoch(self) -> None:
        """Epochs of fit on all images, the last batch a short one."""
        config.set_allow_tf32(False)
        task = self._task("cnn-128")
        samples = self.scale.samples
        with ours.using(self.options.backend):
            times = ours.time_epochs(
                task, make_data(task, samples), EPOCHS_BEFORE + self.scale.epochs, time.perf_counter
            )
        self.result["epoch"] = {
            "model": task.title,
            "images": samples,
            "milliseconds": timing.summary(times[EPOCHS_BEFORE:]),
            "samples": times[EPOCHS_BEFORE:],
            "aim_ms": report.EPOCH_AIM,
        }

    # ----------------------------------------------------------------------------------------------- kernels

    def kernels(self) -> None:
        """The ceilings, and each case against them."""
        config.set_allow_tf32(False)
        scale, cache = self.scale, int(self.gpu.gpu.attributes.get("L2CacheSize", 0))
        flush = scale.flush if self.emulated else max(scale.flush, 4 * cache)
        stopwatch = kernels.Stopwatch(self.gpu, scale.repetitions, flush)
        ceilings = kernels.measure_ceilings(self.gpu, stopwatch, scale.copied, scale.side)
        cases = kernel_cases.all_cases(scale.sizes)
        self.result["ceilings"] = dict(ceilings.__dict__)
        self.result["not_timed"] = kernels.not_timed(self.gpu, cases)
        rows = self.result["kernels"] = []
        chosen = kernels.chosen(cases, self.options.families)
        for case in tqdm(chosen, "kernels", leave=False, file=sys.stderr):
            rows.append(kernels.time_case(self.gpu, case, stopwatch, ceilings))
            if "failed" in rows[-1]:
                self.problem(f"{case.name} {case.shapes}: {rows[-1]['failed']}")

    def everything(self) -> None:
        """All that the options ask for; the report is written after each part."""
        if not self.options.no_models:
            self.guarded("launches of a step", self.launches)
            self.save()
            self.models()
            self.guarded("one epoch", self.epoch)
            self.save()
        if not self.options.no_kernels:
            self.guarded("kernels", self.kernels)
        self.save()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, print the tables, and return the exit code."""
    options = parse(arguments)
    try:
        with opened(options.backend) as gpu:
            return _measure(options, gpu)
    except DeviceError as error:
        print(f"benchmarks/gpu.py cannot use the GPU. {error}", file=sys.stderr)
        return 1


def _measure(options: argparse.Namespace, gpu: Any) -> int:
    name, today = machine.gpu_name(gpu), date.today().isoformat()
    emulated = options.backend == "emulated"
    path = options.output and report.new_file(options.output, "emulated" if emulated else name, today)
    run = Run(options, scale_of(options), gpu, path)
    if emulated:
        say(NO_TIMINGS)
    run.begin()
    interrupted = False
    try:
        run.everything()
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted; what was measured so far follows")
        run.save()
    print(report.markdown(run.result))
    say(f"written to {path}" if path else "nothing was written")
    if emulated:
        say(NO_TIMINGS)
    if interrupted:
        return 130
    return 3 if run.result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
