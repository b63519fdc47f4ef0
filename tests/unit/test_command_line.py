"""What a user got wrong is answered with one sentence and its remedy, in both languages, never with a traceback."""

import re
import subprocess
import sys
import time

import pytest

from flows.cli import run_command_line
from flows.helping import cells, wrapped
from flows.locking import workspace_lock
from models.errors import ExitCode
from models.home import HOME_VARIABLE
from models.workspace import Workspace
from tasks.sample import write_sample

LOCALES = ("zh_CN", "en")
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture(params=LOCALES)
def command(request, workspace, monkeypatch, capsys):
    """Run a command in this process: ``command("run", ...)`` answers exit code and what was printed."""
    monkeypatch.setenv("REMATCH_LOCALE", request.param)
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.home))

    def run(*arguments):
        code = run_command_line([str(argument) for argument in arguments])
        said = capsys.readouterr()
        whole = said.out + said.err
        assert "Traceback" not in whole
        assert "logs/defects.log" not in whole, (workspace.logs / "defects.log").read_text("utf-8")
        in_chinese = bool(CHINESE.search(said.out + said.err))
        assert in_chinese == (request.param == "zh_CN"), "one language, the reader's"
        return code, said.err

    return run


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "exports"
    write_sample(folder, 3, 2, 1, end_month="2026-08")
    return folder


USAGE = {
    "no such option": (["run", "--sorce", "x"], ["--sorce", "--source", "rematch run --help"]),
    "no such command": (["statsu"], ["statsu", "status", "rematch --help"]),
    "no such map command": (["map", "chek"], ["chek", "check", "rematch map --help"]),
    "an option without its value": (["run", "--cycle"], ["--cycle", "--help"]),
    "a missing argument": (["sample"], ["DIRECTORY", "rematch sample --help"]),
    "a missing option": (["export", "defeats"], ["--out", "rematch export --help"]),
    "a number out of range": (["demo", "--dealers", "3"], ["--dealers", "20..1000"]),
    "no number": (["sample", "x", "--seed", "many"], ["--seed", "0.."]),
    "bad cycle": (["run", "--cycle", "October"], ["October", "2026-10"]),
    "cycles in the wrong order": (["run", "--cycle", "2026-10..2026-08"], ["2026-10..2026-08"]),
    "bad day": (["run", "--as-of", "2026-02-30"], ["2026-02-30"]),
    "no source at all": (["run"], ["--source", "cycle_source"]),
    "no such folder": (["run", "--source", "/nowhere/exports"], ["/nowhere/exports", "--source"]),
    "no such mapping": (["run", "--source", ".", "--mapping", "none.toml"], ["none.toml"]),
    "unknown table": (["export", "deals", "--out", "x.csv"], ["deals", "defeats", "verdicts"]),
    "table not there yet": (["export", "owners", "--out", "x.csv"], ["owners"]),
    "nothing to export": (["export", "defeats", "--out", "x.csv"], ["rematch run"]),
    "no workspace": (["status", "--home", "/nowhere"], ["/nowhere", "rematch init"]),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_the_user_mistyped_is_said_with_its_remedy(case, command):
    arguments, named = USAGE[case]
    code, said = command(*arguments)
    assert code == ExitCode.BAD_INPUT
    assert all(word in said for word in named), said
    assert said.count("\n") == 1, "one sentence on one line"


def test_sources_that_cannot_be_used_are_refused_before_a_server_is_started(command, exports, workspace, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    lame = tmp_path / "lame"
    lame.mkdir()
    for file in [*exports.glob("leads*"), *exports.glob("dealers*")]:
        (lame / file.name).write_bytes(file.read_bytes())
    lone = next(exports.glob("leads*.csv"))
    for source, named in ((empty, "rematch map suggest"), (lame, "defeats"), (lone, lone.name)):
        code, said = command("run", "--source", source)
        assert code == ExitCode.BAD_INPUT
        assert str(source) in said
        assert named in said
    broken = tmp_path / "broken.toml"
    broken.write_text("[inputs\n")
    code, said = command("run", "--source", exports, "--mapping", broken)
    assert (code, "broken.toml" in said) == (ExitCode.BAD_INPUT, True)
    assert not (workspace.prefect / "server.json").exists()
    assert not (workspace.logs / "prefect-server.log").exists()


def test_a_second_run_is_refused_at_once(command, exports, workspace):
    with workspace_lock(workspace.home):
        code, said = command("run", "--source", exports)
    assert code == ExitCode.BUSY
    assert "rematch status" in said


@pytest.mark.parametrize(
    ("content", "named"),
    [("locale = ", "rematch.toml"), ("timezone = 'Mars/Olympus'", "timezone"), ("max_problem = 2", "max_problem")],
)
def test_broken_settings_name_file_and_field(command, exports, workspace, content, named):
    (workspace.home / "rematch.toml").write_text(content)
    code, said = command("run", "--source", exports)
    assert code == ExitCode.BAD_INPUT
    assert named in said
    assert "rematch.toml" in said


DATABASES = {
    "unreachable": "postgresql://someone:secret@127.0.0.1:1/rematch",
    "no url": "my database",
    "unknown kind": "oracle://db/rematch",
    "in a folder that is not there": "sqlite:////nowhere/state.db",
}


@pytest.mark.parametrize("case", DATABASES)
def test_a_database_that_cannot_be_used_is_said_without_its_password(command, exports, case, monkeypatch):
    monkeypatch.setenv("REMATCH_DATABASE_URL", DATABASES[case])
    code, said = command("run", "--source", exports)
    assert code == ExitCode.BAD_INPUT
    assert "secret" not in said


def test_a_read_only_state_file_is_said(command, exports, workspace, monkeypatch):
    """As root no mode bit forbids writing, so the file is opened read-only by its URL."""
    file = workspace.home / "state.db"
    assert command("init")[0] == ExitCode.OK
    file.write_bytes(b"")
    monkeypatch.setenv("REMATCH_DATABASE_URL", f"sqlite:///file:{file}?mode=ro&uri=true")
    code, said = command("run", "--source", exports)
    assert code == ExitCode.BAD_INPUT
    assert "readonly" in said


def test_a_state_file_that_is_no_database_is_said(command, exports, workspace):
    (workspace.home / "state.db").write_text("this is a note, not a database" * 100)
    code, said = command("run", "--source", exports)
    assert code == ExitCode.BAD_INPUT
    assert "state.db" in said


def test_a_workspace_that_is_a_file_is_said(command, exports, tmp_path):
    place = tmp_path / "workspace.txt"
    place.write_text("taken")
    code, said = command("run", "--source", exports, "--home", place)
    assert code == ExitCode.BAD_INPUT
    assert str(place) in said


def test_a_lost_key_is_not_replaced_by_another(command, exports, workspace):
    """A new key would fit none of the data that is there: say so instead of making one."""
    from tasks.ingest import ingest

    ingest(workspace, exports)
    key = workspace.home / "secret.key"
    kept = key.read_text()
    key.unlink()
    for arguments in (["run", "--source", exports], ["init"]):
        code, said = command(*arguments)
        assert code == ExitCode.BAD_INPUT
        assert "secret.key" in said
        assert not key.exists()
    key.write_text("not a key")
    code, said = command("run", "--source", exports)
    assert code == ExitCode.BAD_INPUT
    assert "64" in said
    key.write_text(kept)


def test_init_is_safe_to_repeat(command, workspace):
    before = Workspace.open(workspace.home).settings
    assert command("init")[0] == ExitCode.OK
    files = {path: path.read_bytes() for path in workspace.home.iterdir() if path.suffix in {".toml", ".key"}}
    assert command("init")[0] == ExitCode.OK
    assert {path: path.read_bytes() for path in files} == files
    assert Workspace.open(workspace.home).settings == before, "the settings file changes nothing"


def page(*arguments, locale="en", columns=80):
    environment = {"REMATCH_LOCALE": locale, "COLUMNS": str(columns), "PATH": "", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("columns", [40, 60, 100])
@pytest.mark.parametrize("locale", LOCALES)
def test_help_is_wrapped_and_never_cut(locale, columns):
    from models.messages import text

    told = page("export", locale=locale, columns=columns)
    assert "…" not in told
    assert all(cells(line) <= columns for line in told.splitlines())
    squeezed = re.sub(r"\s", "", told)
    for key in ("help", "example", "what", "out", "dealer", "format"):
        assert re.sub(r"\s", "", text(f"cli.export.{key}", locale)) in squeezed


def test_every_command_is_on_the_first_page():
    told = page()
    for name in ("init", "sample", "map", "run", "status", "export", "judge", "demo", "serve"):
        assert re.search(rf"^  {name} ", told, re.MULTILINE)


def test_help_answers_at_once():
    """Well under half a second where nothing else runs (docs/benchmarks.md); this bound holds on a busy machine."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        page()
        taken.append(time.perf_counter() - started)
    assert min(taken) < 1.5
    heavy = "{'pandas', 'prefect', 'sqlalchemy', 'pydantic_settings'}"
    code = f"import sys, flows.cli; print(len({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize(
    ("words", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("线索战败管理", 6, ["线索战", "败管理"]),
        ("线索,战败", 4, ["线", "索,", "战败"]),
        ("查看 rematch status", 10, ["查看", "rematch", "status"]),
        ("first\nsecond", 20, ["first", "second"]),
        ("unbreakable", 4, ["unbreakable"]),
        ("", 4, [""]),
    ],
)
def test_wrapping_counts_wide_characters_twice(words, width, lines):
    assert wrapped(words, width) == lines
