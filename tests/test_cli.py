"""The commands: what they print, as words and as JSON; bad input is a message and not a traceback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import click
import polars as pl
import pytest
from click.testing import CliRunner

from shelfwise.cli import main
from shelfwise.cli.terminal import WIDTH
from shelfwise.demo import generate

COMMANDS = ["inspect", "train", "evaluate", "predict", "recipes", "demo"]


def run(*arguments):
    """Run a command in this process, as if its output went to a file."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def products(path, **columns):
    """Write a small catalogue: forty products in two categories, some columns changed or (None) left out."""
    rows = range(40)
    frame = {
        "product_id": [f"P{row}" for row in rows],
        "title": [f"{('rubber boot', 'wrist watch')[row % 2]} number {row}" for row in rows],
        "category": [("Shoes > Boots", "Watches")[row % 2] for row in rows],
    } | columns
    pl.DataFrame({name: values for name, values in frame.items() if values is not None}).write_parquet(path)
    return path


@pytest.fixture
def catalogue(tmp_path):
    return products(tmp_path / "products.parquet")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of a small demo shop: its folder, the shop's paths, and what `train --json` printed."""
    folder = tmp_path_factory.mktemp("trained")
    shop = generate(folder, products=900)
    done = run("train", shop.catalogue, "--model", folder / "model", "--split", "split", "--json")
    assert done.exit_code == 0, done.output
    return folder / "model", shop, done


def refused(done, *words):
    """Whether a command ended with a message of these words, exit code 2 and nothing else."""
    __tracebackhide__ = True
    assert isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    missing = [word for word in words if word.lower() not in done.stderr.lower()]
    assert missing == [], done.stderr
    return True


# -- help and the like ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_says_what_it_does(command):
    done = run(command, "--help")

    assert done.exit_code == 0
    assert f"Usage: shelfwise {command}" in done.stdout
    named = [option for option in main.commands[command].params if isinstance(option, click.Option)]
    assert [option.name for option in named if not option.help] == []


def test_version_is_that_of_the_package():
    import shelfwise

    assert run("--version").stdout == f"shelfwise, version {shelfwise.__version__}\n"


def test_module_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "shelfwise", "recipes"], capture_output=True, text=True)

    assert done.returncode == 0
    assert done.stdout.startswith("recipe")
    assert done.stderr == ""


# -- bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["inspect", "train"])
class TestBadCatalogue:
    def refused(self, command, path, *words):
        more = ["--model", path.parent / "model"] if command == "train" else []
        assert refused(run(command, path, *more), *words)
        assert not (path.parent / "model").exists()

    def test_missing_file(self, command, tmp_path):
        self.refused(command, tmp_path / "nowhere.parquet", "nowhere.parquet")

    def test_empty_file(self, command, tmp_path):
        (tmp_path / "empty.csv").touch()

        self.refused(command, tmp_path / "empty.csv", "empty.csv", "empty")

    def test_directory_without_catalogues(self, command, tmp_path):
        (tmp_path / "box").mkdir()
        (tmp_path / "box" / "readme.rst").write_text("nothing here")

        self.refused(command, tmp_path / "box", "box")

    def test_truncated_parquet(self, command, tmp_path):
        whole = products(tmp_path / "half.parquet").read_bytes()
        (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])

        self.refused(command, tmp_path / "half.parquet", "half.parquet")

    def test_file_that_is_not_what_its_name_says(self, command, tmp_path):
        (tmp_path / "text.parquet").write_text("product_id,title\n1,boot\n")

        self.refused(command, tmp_path / "text.parquet", "text.parquet")


def train(catalogue, *arguments):
    return run("train", catalogue, "--model", catalogue.parent / "model", *arguments)


def test_training_without_a_label_column_is_refused(tmp_path):
    unlabelled = products(tmp_path / "bare.parquet", category=None)

    assert refused(train(unlabelled), "--label")


def test_training_with_one_category_is_refused(tmp_path):
    same = products(tmp_path / "same.parquet", category=["Shoes"] * 40)

    assert refused(train(same, "--label", "category"), "categor")


def test_training_without_any_labelled_product_is_refused(tmp_path):
    empty = products(tmp_path / "empty.parquet", category=[""] * 40)

    assert refused(train(empty, "--label", "category"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--label", "kategorie"], ["kategorie", "category"]),
        (["--split", "fold"], ["fold"]),
        (["--role", "title=headline"], ["headline", "title"]),
        (["--role", "colour=title"], ["colour", "product_id"]),
        (["--role", "title"], ["ROLE=COL"]),
        (["--fields", "title,weight"], ["weight", "brand"]),
        (["--fields", ","], ["no text field"]),
        (["--seed", "-1"], ["--seed"]),
        (["--seed", "many"], ["--seed"]),
        (["--threads", "0"], ["--threads"]),
        (["--recipe", "cake"], ["cake", "fast"]),
        (["--mapping", "nowhere.csv"], ["nowhere.csv"]),
        (["--nonsense"], ["--nonsense"]),
    ],
    ids=" ".join,
)
def test_bad_options_of_train_are_named(catalogue, arguments, words):
    assert refused(train(catalogue, *arguments), *words)
    assert not (catalogue.parent / "model").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[text]\nwords = 'two'", ["recipe.toml", "words"]),
        ("[text]\nwrods = 2", ["wrods", "words"]),
        ("text = [", ["recipe.toml", "toml"]),
    ],
)
def test_bad_recipes_are_named(catalogue, text, words):
    recipe = catalogue.parent / "recipe.toml"
    recipe.write_text(text)

    assert refused(train(catalogue, "--recipe", recipe), *words)


def test_training_never_replaces_a_folder_that_is_no_model(catalogue):
    (catalogue.parent / "model").mkdir()
    (catalogue.parent / "model" / "thesis.txt").write_text("years of work")

    assert refused(train(catalogue), "model")
    assert (catalogue.parent / "model" / "thesis.txt").read_text() == "years of work"


def test_training_replaces_an_earlier_model(trained, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(trained[0], model)
    catalogue = products(tmp_path / "products.parquet")

    assert run("train", catalogue, "--model", model).exit_code == 0
    assert "Watches" in (model / "taxonomy.json").read_text()


@pytest.mark.parametrize("command", ["evaluate", "predict"])
class TestBadModel:
    def refused(self, command, model, catalogue, *words):
        output = catalogue.parent / "out.csv"
        more = ["--output", output] if command == "predict" else []
        assert refused(run(command, model, catalogue, *more), *words)
        assert not output.exists()

    def test_missing(self, command, catalogue):
        self.refused(command, catalogue.parent / "shelf", catalogue, "shelf")

    def test_not_a_model(self, command, catalogue):
        self.refused(command, catalogue.parent, catalogue, str(catalogue.parent))

    def test_lacks_a_file(self, command, catalogue, trained):
        model = shutil.copytree(trained[0], catalogue.parent / "model")
        (model / "taxonomy.json").unlink()

        self.refused(command, model, catalogue, "taxonomy.json")

    def test_has_a_foreign_file(self, command, catalogue, trained):
        model = shutil.copytree(trained[0], catalogue.parent / "model")
        (model / "notes.txt").write_text("mine")

        self.refused(command, model, catalogue, "notes.txt")

    def test_is_from_a_newer_version(self, command, catalogue, trained):
        model = shutil.copytree(trained[0], catalogue.parent / "model")
        manifest = json.loads((model / "MANIFEST.json").read_text())
        (model / "MANIFEST.json").write_text(json.dumps(manifest | {"format": 99}))

        self.refused(command, model, catalogue, "99", "upgrade")

    def test_has_a_changed_file(self, command, catalogue, trained):
        model = shutil.copytree(trained[0], catalogue.parent / "model")
        damaged = next(model.glob("*.safetensors"))
        damaged.write_bytes(damaged.read_bytes()[:-8] + b"tampered")

        self.refused(command, model, catalogue, damaged.name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "out.xlsx"], [".parquet"]),
        (["--output", "."], ["ending"]),
        (["--output", "out.csv", "--promise", "1.5"], ["1.5"]),
        (["--output", "out.csv", "--promise", "high"], ["--promise"]),
        (["--output", "out.csv", "--promise", "0.9999"], ["99.99"]),
        (["--output", "out.csv", "--top", "0"], ["--top"]),
        (["--output", "out.csv", "--split", "fold"], ["fold"]),
        ([], ["--output"]),
    ],
    ids=" ".join,
)
def test_bad_options_of_predict_are_named(trained, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    model, shop, _ = trained

    assert refused(run("predict", model, shop.new_arrivals, *arguments), *words)
    assert list(tmp_path.iterdir()) == []


def test_evaluating_without_labels_is_refused(trained):
    model, shop, _ = trained

    assert refused(run("evaluate", model, shop.new_arrivals), "categor")


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")

    assert refused(run("demo", "--output", tmp_path / "taken"), "taken", "exists")


def test_message_cannot_steer_the_terminal(tmp_path):
    done = run("inspect", tmp_path / "\x1b[2Jgone.csv")

    assert refused(done, "gone.csv")
    assert "\x1b" not in done.stderr


def test_unexpected_errors_keep_their_traceback(monkeypatch):
    monkeypatch.setattr("shelfwise.demo.generate", lambda *_: 1 / 0)

    assert isinstance(run("demo").exception, ZeroDivisionError)


def test_interrupt_ends_with_its_own_exit_code(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("shelfwise.demo.generate", interrupt)
    done = run("demo")

    assert done.exit_code == 130
    assert "Interrupted" in done.stderr


# -- what is printed -----------------------------------------------------------------------------------------


def only_json(done):
    """What a command printed with --json, where it printed nothing else."""
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_inspect_as_json(catalogue):
    found = only_json(run("inspect", catalogue, "--json"))

    assert found["rows"] == 40
    assert found["labels"]["categories"] == 2
    assert {column["name"]: column["role"] for column in found["columns"]}["category"] == "label"


def test_train_as_json(trained):
    model, _, done = trained
    told = only_json(done)

    assert told["model"] == str(model)
    assert 0 < told["learned"] < told["rows"] == 900
    assert 0.5 < told["out_of_fold"]["accuracy"] <= 1


def test_evaluate_as_json(trained, tmp_path):
    model, shop, _ = trained
    command = ["evaluate", model, shop.catalogue, "--split", "split", "--promise", "0.9", "--json"]
    told = only_json(run(*command, "--report", tmp_path / "report"))

    assert {"rows", "accuracy", "weighted_f1", "macro_f1", "levels", "hierarchical_f1"} <= set(told)
    assert {"top_k", "calibration_error", "promise", "by_view"} <= set(told)
    assert told["promise"]["asked"] == 0.9
    assert told["report"] == str(tmp_path / "report" / "report.html")
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000


def test_predict_as_json(trained, tmp_path):
    model, shop, _ = trained
    told = only_json(run("predict", model, shop.new_arrivals, "--output", tmp_path / "out.csv", "--json"))

    assert told["rows"] == pl.read_csv(shop.new_arrivals).height
    assert sum(told["by_status"].values()) == told["rows"]


def settings(tables):
    """Names of all settings of a recipe's plain values, with the table in front."""
    nested = {
        f"{name}.{inner}" for name, table in tables.items() if isinstance(table, dict) for inner in table
    }
    return nested | set(tables)


def test_recipes_are_printed_whole_as_json_and_as_toml():
    from shelfwise.recipe import Recipe

    printed = only_json(run("recipes", "large", "--json"))

    assert {"fast", "large"} <= set(only_json(run("recipes", "--json")))
    assert Recipe.parse(run("recipes", "large").stdout) == Recipe.from_dict(printed)
    assert settings(printed) == settings(Recipe().to_dict())


def test_demo_as_json(tmp_path):
    told = only_json(run("demo", "--output", tmp_path, "--products", "300", "--json"))

    assert pl.read_parquet(told["catalogue"]).height == 300


def test_demo_refuses_fewer_products_than_shelves(tmp_path):
    assert refused(run("demo", "--output", tmp_path, "--products", "3"), "300")


def test_options_win_over_the_recipe_and_keep_its_other_settings(catalogue):
    recipe = catalogue.parent / "recipe.toml"
    recipe.write_text('seed = 3\n[text]\nwords = 1\n[catalogue]\nlabel = "product_id"\n')

    from shelfwise.cli.options import build_recipe

    built = build_recipe(str(recipe), {"seed": 5, "threads": None}, label="category", fields=None)

    assert (built.seed, built.threads, built.text.words) == (5, 0, 1)
    assert built.catalogue.label == "category"


def test_roles_are_overridden_and_switched_off(tmp_path):
    odd = products(tmp_path / "odd.parquet", slogan=[f"so fine a thing, number {row}" for row in range(40)])
    command = ["inspect", odd, "--role", "title=slogan", "--role", "product_id=none", "--json"]
    roles = {column["name"]: column["role"] for column in only_json(run(*command))["columns"]}

    assert roles["slogan"] == "title"
    assert "product_id" not in roles.values()


def test_output_is_plain_and_narrow_where_there_is_no_terminal(tmp_path):
    wide = products(tmp_path / "wide.parquet", description=["\x1b[31mred " + "so long a text " * 40] * 40)
    done = run("inspect", wide)

    assert done.exit_code == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:])) <= WIDTH  # the first line holds the path


def test_inspect_tells_columns_categories_and_warnings(tmp_path):
    rows = [None, *["Watches", "Shoes > Boots"] * 19, "Hats"]
    told = run("inspect", products(tmp_path / "a.parquet", category=rows)).stdout

    assert re.search(r"^product_id +product_id +100 %", told, flags=re.MULTILINE)
    assert re.search(r"^category +label +98 %", told, flags=re.MULTILINE)
    assert "Categories: 3" in told
    assert "1 product of 40 are not labelled" in told


def test_train_tells_scores_promises_and_the_next_step(trained, tmp_path):
    _, shop, _ = trained
    told = run("train", shop.catalogue, "--model", tmp_path / "m", "--split", "split").stdout

    assert re.search(r"^Learned \d+ categories", told)
    assert "held out while learning" in told
    assert re.search(r"^ +98 % ", told, flags=re.MULTILINE)
    assert f"shelfwise evaluate {tmp_path / 'm'}" in told


def test_evaluate_tells_the_headline_and_every_level(trained):
    model, shop, _ = trained
    told = run("evaluate", model, shop.catalogue, "--split", "split").stdout

    assert "products land on exactly the right shelf" in told.splitlines()[0]
    assert re.search(r"^whole path .*%", told, flags=re.MULTILINE)
    assert re.search(r"^level 3 .*%", told, flags=re.MULTILINE)


def test_predict_tells_where_the_products_went(trained, tmp_path):
    model, shop, _ = trained
    output = tmp_path / "sorted.jsonl"
    told = run("predict", model, shop.new_arrivals, "--output", output, "--top", "2").stdout

    assert "Status: ok" in told
    assert {len(json.loads(line)["candidates"]) for line in output.read_text().splitlines()} == {2}


# -- memory --------------------------------------------------------------------------------------------------


def test_training_within_little_memory_says_what_lay_in_files_and_leaves_none(tmp_path):
    catalogue, folder = products(tmp_path / "shop.parquet"), tmp_path / "work"
    folder.mkdir()
    done = run("train", catalogue, "--model", tmp_path / "free", "--json")
    bound = run(
        "train", catalogue, "--model", tmp_path / "bound", "--memory", "610MB", "--work", folder, "--json"
    )

    assert (done.exit_code, bound.exit_code) == (0, 0)
    free, told = json.loads(done.stdout)["memory"], json.loads(bound.stdout)["memory"]
    assert free["filed"] == 0 < free["limit"]
    assert told["limit"] == 610_000_000
    assert list(folder.iterdir()) == []
    manifests = [(tmp_path / name / "MANIFEST.json").read_bytes() for name in ("free", "bound")]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--memory", "much"], "'much' is no size of memory"),
        (["--memory", "100MB"], "100 MB of memory are too little"),
        (["--work", "nowhere"], "does not exist"),
    ],
)
def test_memory_that_makes_no_sense_is_refused(tmp_path, options, why):
    done = run("train", products(tmp_path / "shop.parquet"), "--model", tmp_path / "model", *options)

    assert done.exit_code == 2
    assert why in " ".join(done.stderr.split())
    assert not (tmp_path / "model").exists()
