"""`rematch sample`: a simulated OEM's exports as files, with the truth beside them (docs/sample.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from models.catalogue.contract import contract
from models.catalogue.playbook import playbook
from models.errors import SourceError, UserError
from tasks.compute.simulation.dirt import late_marks, soil
from tasks.compute.simulation.months import NO_EFFECTS, TABLES, Simulation
from tasks.compute.simulation.network import Effects, Network
from tasks.compute.simulation.responses import true_points
from tasks.compute.simulation.truth import dealer_truth

TRUTH = "truth"
MAX_DEALERS, MAX_MONTHS, MAX_DIRT = 5_000, 60, 0.3

#: how each table is written: real exports come in mixed formats
FORMATS: Mapping[str, str] = {
    "dealers": "xlsx",
    "leads": "csv",
    "defeats": "csv_gb18030",
    "revisits": "csv_bom",
    "sales": "csv",
    "service_visits": "parquet",
    "interactions": "csv",
}
_ENDINGS = {"xlsx": ".xlsx", "parquet": ".parquet"}


@dataclass(frozen=True)
class SampleReport:
    """What was written: rows per table, planted rows by kind, filings by true verdict, months."""

    directory: Path
    dealers: int
    months: tuple[str, ...]
    rows: Mapping[str, int]
    dirty: Mapping[str, int]
    verdicts: Mapping[str, int]


@dataclass(frozen=True)
class _Description:
    """What a sample was made with; kept in ``truth/sample.json`` so that months can be added later."""

    dealers: int
    seed: int
    first_month: str
    dirt: float
    fakery: float


@dataclass(frozen=True)
class Sample:
    """A sample on disk and the simulation behind it."""

    directory: Path
    simulation: Simulation
    dirt: float

    @classmethod
    def create(
        cls, directory: Path, dealers: int, seed: int, first_month: str, dirt: float = 0.01, fakery: float = 0.06
    ) -> Sample:
        """An empty sample: the dealers and what is true of them and of the measures, no month yet.

        Raises SourceError when ``directory`` holds anything else, or cannot be written.
        """
        _usable(directory)
        network = Network.build(dealers, seed, first_month, fakery=fakery)
        description = _Description(dealers, seed, first_month, dirt, fakery)
        try:
            (directory / TRUTH).mkdir(parents=True, exist_ok=True)
            _write_table(network.frame(), directory, "dealers", "")
            _write_truth(directory, "dealers", dealer_truth(network))
            _write_truth(directory, "effects", _measure_effects(seed))
            _replace(directory / TRUTH / "sample.json", json.dumps(asdict(description), indent=2).encode())
        except OSError as error:
            raise SourceError("sample.not_writable", folder=directory, problem=error.strerror) from error
        return cls(directory, Simulation(network), dirt)

    @classmethod
    def open(cls, directory: Path) -> Sample:
        """The sample in ``directory``; raises SourceError when there is none."""
        file = directory / TRUTH / "sample.json"
        if not file.is_file():
            raise SourceError("sample.no_sample", folder=directory)
        made = _Description(**json.loads(file.read_text("utf-8")))
        network = Network.build(made.dealers, made.seed, made.first_month, fakery=made.fakery)
        return cls(directory, Simulation(network), made.dirt)

    def months(self) -> tuple[str, ...]:
        """The months written so far, oldest first."""
        return tuple(sorted(file.stem.removeprefix("leads_") for file in self.directory.glob("leads_*.csv")))

    def write_month(self, month: str, effects: Effects = NO_EFFECTS) -> SampleReport:
        """Writes (or rewrites) the exports of ``month`` and the truth about them.

        ``effects`` act on leads that close in the month and are remembered in ``truth/executed.csv``, so that later
        months stay consistent with it.
        """
        number = self.simulation.network.month_number(month)
        earlier = _executed(self.directory, self.simulation.network)
        earlier.pop(number, None)
        tables = self.simulation.month(number, effects, earlier)
        truth = self.simulation.truth(number, effects, earlier)
        late = late_marks(tables["defeats"], truth, month)
        tables, marks = soil(tables, self.dirt, self.simulation.network.seed, number, month)
        marks = pd.concat([marks, late], ignore_index=True)
        marks.insert(2, "file", [file_name(table, month) for table in marks["table"]])
        try:
            for table in TABLES[1:]:
                _write_table(tables[table], self.directory, table, month)
            _add_truth(self.directory, "executed", month, _acting(month, effects))
            truth.insert(0, "month", month)
            _add_truth(self.directory, "leads", month, truth)
            _add_truth(self.directory, "dirty", month, marks)
        except OSError as error:
            raise SourceError("sample.not_writable", folder=self.directory, problem=error.strerror) from error
        return SampleReport(
            directory=self.directory,
            dealers=self.simulation.network.size,
            months=(month,),
            rows={table: len(tables[table]) for table in TABLES},
            dirty=marks["type"].value_counts().to_dict(),
            verdicts=truth["verdict"].value_counts().to_dict(),
        )


def write_sample(
    directory: Path,
    dealers: int,
    months: int,
    seed: int,
    end_month: str = "2026-10",
    dirt: float = 0.01,
    fakery: float = 0.06,
    progress: Callable[[str], None] = lambda month: None,
) -> SampleReport:
    """Writes a plausible OEM's exports of ``months`` months up to ``end_month`` into ``directory``.

    The files are in contract form (``rematch run --source`` reads them without a mapping), the truth is in
    ``directory/truth``. The same arguments write the same files. ``progress`` is told each month written. Raises
    UserError for sizes and months that make no sense, SourceError when the folder holds anything else.
    """
    _check_sizes(dealers, months, seed, end_month, dirt)
    last = pd.Period(end_month, "M")
    sample = Sample.create(directory, dealers, seed, str(last - (months - 1)), dirt, fakery)
    reports = []
    for back in reversed(range(months)):
        reports.append(sample.write_month(str(last - back)))
        progress(str(last - back))
    return SampleReport(
        directory=directory,
        dealers=dealers,
        months=tuple(month for report in reports for month in report.months),
        rows=_sum(report.rows for report in reports) | {"dealers": dealers},
        dirty=_sum(report.dirty for report in reports),
        verdicts=_sum(report.verdicts for report in reports),
    )


def write_month(
    directory: Path, month: str, effects: Effects = NO_EFFECTS, sample: Sample | None = None
) -> SampleReport:
    """Adds one month to the sample in ``directory``, with measures at work; ``sample`` saves opening it again."""
    return (sample or Sample.open(directory)).write_month(month, effects)


def file_name(table: str, month: str) -> str:
    """The name of the file of ``table`` and ``month`` (empty for tables written once)."""
    ending = _ENDINGS.get(FORMATS[table], ".csv")
    return f"{table}_{month}{ending}" if month else f"{table}{ending}"


def _check_sizes(dealers: int, months: int, seed: int, end_month: str, dirt: float) -> None:
    for option, value, most in (("--dealers", dealers, MAX_DEALERS), ("--months", months, MAX_MONTHS)):
        if not 1 <= value <= most:
            raise UserError("sample.bad_size", option=option, value=value, least=1, most=most)
    if seed < 0:
        raise UserError("sample.bad_seed", value=seed)
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", end_month):
        raise UserError("sample.bad_month", value=end_month)
    if not 0 <= dirt <= MAX_DIRT:
        raise UserError("sample.bad_dirt", value=dirt)


def _usable(directory: Path) -> None:
    """Refuses a folder that holds anything but an earlier sample, which is removed."""
    if directory.exists() and not directory.is_dir():
        raise SourceError("sample.not_empty", folder=directory)
    if not directory.exists() or not any(directory.iterdir()):
        return
    own = {file_name(table, "").partition(".")[0] for table in TABLES}
    found = [path for path in directory.iterdir() if path.name != TRUTH]
    if not (directory / TRUTH / "sample.json").is_file() or any(path.stem.split("_20")[0] not in own for path in found):
        raise SourceError("sample.not_empty", folder=directory)
    for path in [*found, *(directory / TRUTH).iterdir()]:
        path.unlink()


def _measure_effects(seed: int) -> pd.DataFrame:
    """The true effect of every measure of the playbook."""
    rows = [(one.reason, one.code, true_points(seed, one.reason, one.code)) for one in playbook().measures.values()]
    return pd.DataFrame(rows, columns=["reason", "measure", "points"])


def _acting(month: str, effects: Effects) -> pd.DataFrame:
    rows = [(month, *key, points) for key, points in sorted(effects.items())]
    return pd.DataFrame(rows, columns=["month", "dealer_id", "cause", "points"])


def _executed(directory: Path, network: Network) -> dict[int, dict[tuple[str, str], float]]:
    """The effects of the months written so far."""
    file = directory / TRUTH / "executed.csv"
    if not file.is_file():
        return {}
    found: dict[int, dict[tuple[str, str], float]] = {}
    for row in pd.read_csv(file).itertuples():
        found.setdefault(network.month_number(str(row.month)), {})[str(row.dealer_id), str(row.cause)] = float(
            row.points
        )
    return found


def _write_table(frame: pd.DataFrame, directory: Path, table: str, month: str) -> None:
    file, form = directory / file_name(table, month), FORMATS[table]
    if form == "xlsx":
        _write_workbook(frame, file, table)
    elif form == "parquet":
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(_arrow(frame, table), sink, compression="zstd")
        _replace(file, sink.getvalue().to_pybytes())
    else:
        _replace(file, _csv(_arrow(frame, table), form))


def _csv(content: pa.Table, form: str) -> bytes:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(content, sink, pa.csv.WriteOptions(quoting_style="needed"))
    plain = sink.getvalue().to_pybytes()
    match form:
        case "csv_gb18030":
            return plain.decode("utf-8").encode("gb18030")
        case "csv_bom":
            return b"\xef\xbb\xbf" + plain
        case _:
            return plain


def _arrow(frame: pd.DataFrame, table: str) -> pa.Table:
    """The frame as exports show it: times to the second, dates without a time, amounts as they are."""
    fields = contract().tables[table].fields
    kinds = {"datetime": pa.timestamp("s"), "date": pa.date32(), "score": pa.int64(), "money": pa.int64()}
    columns = {}
    for name in frame.columns:
        column = pa.Array.from_pandas(frame[name])
        kind = kinds.get(fields[name].kind)
        columns[name] = column if kind is None else column.cast(kind, safe=kind not in (pa.timestamp("s"), pa.date32()))
    return pa.table(columns)


def _write_workbook(frame: pd.DataFrame, file: Path, sheet: str) -> None:
    temporary = file.with_name(file.name + ".part")
    with pd.ExcelWriter(temporary, engine="xlsxwriter", datetime_format="yyyy-mm-dd") as writer:
        # a fixed time, so that the same sample gives the same bytes
        writer.book.set_properties({"created": pd.Timestamp("2026-01-01").to_pydatetime()})
        frame.to_excel(writer, sheet_name=sheet, index=False)
    temporary.replace(file)


def _write_truth(directory: Path, name: str, frame: pd.DataFrame) -> None:
    _replace(directory / TRUTH / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n").encode())


def _add_truth(directory: Path, name: str, month: str, frame: pd.DataFrame) -> None:
    """Adds the rows of a month (their first column) to a truth file, in place of those it may have of that month."""
    file = directory / TRUTH / f"{name}.csv"
    if not file.is_file():
        _write_truth(directory, name, frame)
        return
    written = file.read_bytes()
    if f"\n{month},".encode() in written:
        kept = pd.read_csv(file, dtype="str", keep_default_na=False)
        written = kept[kept["month"] != month].to_csv(index=False, lineterminator="\n").encode()
    _replace(file, written + frame.to_csv(index=False, header=False, lineterminator="\n").encode())


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_name(file.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(file)


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return total
