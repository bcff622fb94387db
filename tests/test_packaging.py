"""What is shipped: a light import, an instant --help, one version everywhere, a whole wheel, no pickle."""

import ast
import importlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import shelfwise

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "shelfwise").rglob("*.py"))
HEAVY = {"numpy", "polars", "numba", "scipy", "llvmlite", "rich", "jinja2", "plotly", "sklearn", "pandas"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    script = f"{code}\nimport sys\nprint('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.rsplit("loaded:", 1)[1].split()}


def test_import_is_light():
    assert modules_after("import shelfwise") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["predict", "--help"]])
def test_help_is_light(arguments):
    command = f"try: main({arguments})\nexcept SystemExit as end: assert not end.code"
    code = f"from shelfwise.cli import main\n{command}"

    assert modules_after(code) & HEAVY == set()


@pytest.mark.parametrize("verb", ["inspect", "train", "evaluate", "predict", "recipes", "demo"])
def test_help_names_every_command(verb):
    done = subprocess.run(
        [sys.executable, "-m", "shelfwise", "--help"], capture_output=True, text=True, check=True
    )

    assert re.search(rf"^  {verb}\b", done.stdout, flags=re.MULTILINE)


def test_version_is_that_of_the_changelog():
    released = re.findall(
        r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )

    assert released[0] == shelfwise.__version__


def test_public_names_exist_and_say_what_they_are():
    silent = [name for name in shelfwise.__all__ if not (getattr(shelfwise, name).__doc__ or "").strip()]

    assert silent == []
    assert len(set(shelfwise.__all__)) == len(shelfwise.__all__)
    assert set(shelfwise.__all__) <= set(dir(shelfwise))


def test_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = shelfwise.no_such_name


def test_every_module_can_be_imported_and_says_what_lives_there():
    for path in SOURCES:
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        first = (importlib.import_module(name).__doc__ or "").split("\n")[0]
        assert len(first) > 10, f"{name} does not say what lives there"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    box = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*command, "--wheel-dir", box, ROOT], check=True, capture_output=True)
    return zipfile.ZipFile(next(box.glob("shelfwise-*.whl")))


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    package = ROOT / "src"
    files = {
        path.relative_to(package).as_posix() for path in (package / "shelfwise").rglob("*") if path.is_file()
    }
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert shipped == {name for name in files if "__pycache__" not in name}
    assert {"shelfwise/py.typed", "shelfwise/demo/words.toml"} <= shipped
    assert any(re.fullmatch(r"shelfwise/recipes/\w+\.toml", name) for name in shipped)


def test_wheel_carries_licence_version_and_command(wheel):
    about = {
        name.split("/")[-1]: wheel.read(name).decode() for name in wheel.namelist() if ".dist-info/" in name
    }

    assert "Apache License" in about["LICENSE"]
    assert f"\nVersion: {shelfwise.__version__}\n" in about["METADATA"]
    assert "shelfwise = shelfwise.cli:main" in about["entry_points.txt"]


FORBIDDEN_MODULES = {"pickle", "cPickle", "joblib", "dill", "marshal", "shelve", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


def dangers(code: str) -> list[str]:
    """Imports that unpickle and calls that run text as code, with their lines."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: {item.name}" for item in node.names if item.name in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_MODULES:
            found.append(f"{node.lineno}: {node.module}")
        elif isinstance(node, ast.Call):
            named = node.func
            if isinstance(named, ast.Name) and named.id in FORBIDDEN_CALLS:
                found.append(f"{node.lineno}: {named.id}")
            elif any(word.arg == "allow_pickle" for word in node.keywords):
                found.append(f"{node.lineno}: allow_pickle")
    return found


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import pickle", 1),
        ("from joblib import load", 1),
        ("eval('1')", 1),
        ("import numpy\nnumpy.load('x', allow_pickle=True)", 1),
        ("import re\nre.compile('a')\nimport json", 0),
    ],
)
def test_dangers_are_seen(code, count):
    assert len(dangers(code)) == count


def test_package_neither_unpickles_nor_evaluates():
    found = {path.name: dangers(path.read_text(encoding="utf-8")) for path in SOURCES}

    assert {name: lines for name, lines in found.items() if lines} == {}


def test_lock_names_versions_only():
    lines = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8").splitlines()

    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; .+)?", line)] == []


def test_house_sizes():
    """Modules below 400 lines, functions below 40 and five arguments; kernels and commands may have more."""
    too_large = []
    for path in SOURCES:
        code = path.read_text(encoding="utf-8")
        if len(code.splitlines()) >= 400:
            too_large.append(f"{path.name}: {len(code.splitlines())} lines")
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef) and not (
                decorated(node, "compiled") or "kernel" in node.name
            ):
                too_large += [f"{path.name}: {node.name}: {reason}" for reason in oversize(node)]

    assert too_large == []


def oversize(node: ast.FunctionDef) -> list[str]:
    """Why a function is too large: lines of its body without the docstring, or arguments."""
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    length = (body[-1].end_lineno or 0) - body[0].lineno + 1
    arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    count = len([name for name in arguments if name not in ("self", "cls")])
    reasons = [f"{length} lines"] if length >= 40 else []
    return reasons + ([f"{count} arguments"] if count > 5 and not decorated(node, "command") else [])


def decorated(node: ast.FunctionDef, word: str) -> bool:
    """Whether one of a function's decorators has `word` in its name."""
    return any(word in ast.unparse(entry).split("(")[0] for entry in node.decorator_list)
