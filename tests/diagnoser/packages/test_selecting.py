"""What a user's folder gives to the package: the source and nothing else, and a word on all that stays behind."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from diagnoser.errors import UsageError
from diagnoser.packages import selecting
from diagnoser.packages.leaving_out import Kind
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.selecting import select
from diagnoser.packages.selection import Selection, check_size
from diagnoser.packages.sizes import Limits

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n"  # apart, or scanners would take this file for one


def folder(root: Path, *files: str, **contents: str) -> Path:
    """A folder with these files (`x` in each), and some with a content; the spec is among them."""
    for path in ("diagnose.yaml", "model.py", *files):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x", encoding="utf-8")
    (root / ".gitignore").write_text(contents.get("git", ""), encoding="utf-8")
    (root / ".diagnoserignore").write_text(contents.get("ours", ""), encoding="utf-8")
    return root / "diagnose.yaml"


ALWAYS = {".diagnoserignore", ".gitignore", "diagnose.yaml", "model.py"}


def chosen(selection: Selection) -> set[str]:
    return {file.path for file in selection.files} - ALWAYS


def why(selection: Selection, kind: Kind) -> set[str]:
    return {each.path for each in selection.left_out if each.kind is kind}


def test_source_and_small_data_are_sent_and_nothing_is_left_out(tmp_path: Path) -> None:
    spec = folder(tmp_path, "nets/__init__.py", "nets/unet.py", "data/small.csv", ".config", "my notes.md")
    selection = select(spec)
    assert chosen(selection) == {"nets/__init__.py", "nets/unet.py", "data/small.csv", ".config", "my notes.md"}
    assert selection.left_out == ()


@pytest.mark.parametrize(
    ("path", "left", "kind"),
    [
        (".git/HEAD", ".git/", Kind.HISTORY),
        ("sub/.git", "sub/.git", Kind.HISTORY),
        ("env/pyvenv.cfg", "env/", Kind.ENVIRONMENT),
        ("conda/conda-meta/history", "conda/", Kind.ENVIRONMENT),
        ("nets/__pycache__/unet.pyc", "nets/__pycache__/", Kind.CACHE),
        (".mypy_cache/x.json", ".mypy_cache/", Kind.CACHE),
        ("ui/node_modules/x.js", "ui/node_modules/", Kind.CACHE),
        ("download/CACHEDIR.TAG", "download/", Kind.CACHE),
        ("best.pt", "best.pt", Kind.CHECKPOINT),
        ("out/last.CKPT", "out/last.CKPT", Kind.CHECKPOINT),
        ("m/model.safetensors", "m/model.safetensors", Kind.CHECKPOINT),
        ("wandb/run-1/log", "wandb/", Kind.LOG),
        ("lightning_logs/version_0/hparams.yaml", "lightning_logs/", Kind.LOG),
        ("runs/Nov21/note.txt", "runs/", Kind.LOG),
        ("x/events.out.tfevents.1", "x/events.out.tfevents.1", Kind.LOG),
        (".env", ".env", Kind.SECRET),
        ("app/.env.local", "app/.env.local", Kind.SECRET),
        ("server.pem", "server.pem", Kind.SECRET),
        ("keys/id_rsa", "keys/id_rsa", Kind.SECRET),
        ("api.key", "api.key", Kind.SECRET),
        (".netrc", ".netrc", Kind.SECRET),
        (".pypirc", ".pypirc", Kind.SECRET),
        (".aws/credentials", ".aws/", Kind.SECRET),
        ("credentials.json", "credentials.json", Kind.SECRET),
        ("service-account-prod.json", "service-account-prod.json", Kind.SECRET),
        (".streamlit/secrets.toml", ".streamlit/secrets.toml", Kind.SECRET),
        ("line\nfeed.txt", "line\nfeed.txt", Kind.NAME),
        ("blank /x.py", "blank /x.py", Kind.NAME),
    ],
)
def test_what_is_no_source_stays_behind_and_is_named(path: str, left: str, kind: Kind, tmp_path: Path) -> None:
    selection = select(folder(tmp_path, path))
    assert chosen(selection) == set()
    assert [(each.path, each.kind) for each in selection.left_out] == [(left, kind)]


@pytest.mark.parametrize(
    "path",
    ["credentials.py", "secrets.py", "id_rsa_test.py", ".env.example", "runs/config.py", "keyboard.csv", "tokens.json"],
)
def test_source_with_the_name_of_something_else_is_sent(path: str, tmp_path: Path) -> None:
    assert chosen(select(folder(tmp_path, path))) == {path}


def test_a_private_key_is_known_by_its_content_under_any_name(tmp_path: Path) -> None:
    spec = folder(tmp_path)
    (tmp_path / "gcp.json").write_text('{"private_key": "' + KEY + '"}', encoding="utf-8")
    (tmp_path / "test_keys.py").write_text(f"KEY = '''{KEY}'''", encoding="utf-8")
    selection = select(spec)
    assert why(selection, Kind.SECRET) == {"gcp.json"}
    assert chosen(selection) == {"test_keys.py"}


# --- ignore files ----------------------------------------------------------------------------------------------------


def test_what_gitignore_names_stays_behind_with_the_line_that_says_so(tmp_path: Path) -> None:
    selection = select(folder(tmp_path, "data/big.npz", "notes.log", git="# data\ndata/\n*.log\n"))
    lines = {each.path: each.because for each in selection.left_out}
    assert lines == {"data/": ".gitignore:2: data/", "notes.log": ".gitignore:3: *.log"}


def test_one_file_of_an_ignored_folder_is_taken_back_by_its_path(tmp_path: Path) -> None:
    spec = folder(tmp_path, "data/big.npz", "data/small.csv", "data/a/b.csv", git="data/", ours="!data/small.csv")
    assert chosen(select(spec)) == {"data/small.csv"}


@pytest.mark.parametrize(
    ("ours", "there"),
    [
        ("!data/", {"data/big.npz", "data/small.csv", "data/a/b.csv"}),
        ("!/data", {"data/big.npz", "data/small.csv", "data/a/b.csv"}),
        ("!data/*.csv", {"data/small.csv"}),
        ("!data/**/*.csv", {"data/small.csv", "data/a/b.csv"}),
        ("!*.csv", set()),  # a bare name leads into no folder that is left out: it would lead into all of them
        ("!data/\ndata/big.npz", {"data/small.csv", "data/a/b.csv"}),
    ],
)
def test_taking_back_reaches_as_far_as_it_says(ours: str, there: set[str], tmp_path: Path) -> None:
    spec = folder(tmp_path, "data/big.npz", "data/small.csv", "data/a/b.csv", git="data/", ours=ours)
    assert chosen(select(spec)) == there


def test_a_checkpoint_and_logs_can_be_taken_back_too(tmp_path: Path) -> None:
    spec = folder(tmp_path, "start.pt", "other.pt", "runs/1/x.txt", ours="!start.pt\n!runs/1/")
    assert chosen(select(spec)) == {"start.pt", "runs/1/x.txt"}


def test_our_own_ignore_file_leaves_out_what_git_keeps(tmp_path: Path) -> None:
    selection = select(folder(tmp_path, "paper/fig.png", "a.csv", ours="paper/\n/*.csv"))
    assert chosen(selection) == set()
    assert why(selection, Kind.IGNORED) == {"paper/", "a.csv"}


@pytest.mark.parametrize("ours", ["!*", "!.e*", "!.env*", "!app", "!app/", "!app/**"])
def test_a_secret_is_not_taken_back_by_a_line_that_means_many_files(ours: str, tmp_path: Path) -> None:
    selection = select(folder(tmp_path, ".env", "app/.env", ours=ours))
    assert why(selection, Kind.SECRET) == {".env", "app/.env"}
    assert selection.taken_back == ()


def test_a_secret_that_is_named_letter_by_letter_is_sent_and_said_so(tmp_path: Path) -> None:
    spec = folder(tmp_path, "certificates.pem", "app/.env", ours="!certificates.pem\n!/app/.env")
    selection = select(spec)
    assert selection.taken_back == ("app/.env", "certificates.pem")
    assert chosen(selection) == set(selection.taken_back)


@pytest.mark.parametrize("path", [".git/config", "nets/__pycache__/a.py"])
def test_history_and_caches_are_not_taken_back(path: str, tmp_path: Path) -> None:
    assert chosen(select(folder(tmp_path, path, ours=f"!{path}"))) == set()


def test_the_spec_is_sent_whatever_is_ignored(tmp_path: Path) -> None:
    assert "diagnose.yaml" in {file.path for file in select(folder(tmp_path, git="*", ours="*.yaml")).files}


def test_a_line_that_is_no_pattern_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.diagnoserignore:2: '!' is no pattern"):
        select(folder(tmp_path, ours="*.csv\n!"))


def test_gitignore_files_above_the_folder_count_within_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/project/data/\n*.log\n", encoding="utf-8")
    (tmp_path / "project").mkdir()
    assert chosen(select(folder(tmp_path / "project", "data/x.csv", "a.log", "b.csv"))) == {"b.csv"}


def test_a_folder_that_git_ignores_itself_is_packed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("project/\n", encoding="utf-8")
    (tmp_path / "project").mkdir()
    assert chosen(select(folder(tmp_path / "project", "b.csv"))) == {"b.csv"}


TREES = {
    "nested files": (
        {".gitignore": "*.csv\n/build\n", "a/.gitignore": "!keep.csv\nsecret/\n", "a/b/.gitignore": "*.txt\n!n.txt\n"},
        ["x.csv", "build/x.py", "a/build/x.py", "a/keep.csv", "a/x.csv", "a/secret/s.py", "a/b/m.txt", "a/b/n.txt"],
    ),
    "an excluded folder keeps its files": ({".gitignore": "data/\n!data/small.csv\n"}, ["data/small.csv", "data/x/y"]),
    "its files are excluded, and one is not": (
        {".gitignore": "data/*\n!data/small.csv\n"},
        ["data/small.csv", "data/x/y"],
    ),
    "only what is listed": ({".gitignore": "*\n!*/\n!*.py\n"}, ["a.py", "a.txt", "s/b.py", "s/t/c.py", "s/t/c.txt"]),
    "only one folder of a folder": (
        {".gitignore": "build/*\n!build/keep/\n"},
        ["build/x", "build/keep/x", "build/keep/y/z", "build/other/x"],
    ),
    "stars": ({".gitignore": "**/tmp\na/**/z\n[ab]?.md\n"}, ["tmp/x", "q/tmp/x", "a/z", "a/b/c/z", "a1.md", "c1.md"]),
    "blanks and marks": ({".gitignore": "a\\ b\nc \n\\#d\n\\!e\n"}, ["a b", "c", "#d", "!e", "f"]),
    "folders alone": ({".gitignore": "out/\n"}, ["out/x", "s/out/x", "t/out"]),
}


@pytest.mark.parametrize("name", TREES)
def test_patterns_mean_what_git_says_they_mean(name: str, tmp_path: Path) -> None:
    """The slow twin: git itself lists what it does not ignore."""
    ignores, files = TREES[name]
    spec = folder(tmp_path, *files)
    for path, text in ignores.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert {file.path for file in select(spec).files} - {"diagnose.yaml"} == listed_by_git(tmp_path) - {"diagnose.yaml"}


def test_random_patterns_mean_what_git_says_they_mean(tmp_path: Path) -> None:
    chance = random.Random(0)
    for number in range(CASES):
        here = tmp_path / str(number)
        here.mkdir()
        for _ in range(12):
            path = here.joinpath(*chance.choices(["a", "b", "ab", "c.x", "d.x"], k=chance.randint(1, 3)))
            if not path.exists() and not any(above.is_file() for above in path.parents):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        (here / "diagnose.yaml").touch()
        folders = sorted(path for path in here.iterdir() if path.is_dir())
        for place in [here, *chance.sample(folders, k=min(1, len(folders)))]:
            patterns = [random_pattern(chance) for _ in range(chance.randint(1, 4))]
            (place / ".gitignore").write_text("\n".join(patterns) + "\n", encoding="utf-8")
    theirs = listed_by_git(tmp_path)
    for number in range(CASES):
        mine = {f"{number}/{file.path}" for file in select(tmp_path / str(number) / "diagnose.yaml").files}
        spec = f"{number}/diagnose.yaml"  # ours is always sent
        assert mine - {spec} == {path for path in theirs if path.startswith(f"{number}/")} - {spec}


CASES = 200


def random_pattern(chance: random.Random) -> str:
    parts = chance.choices(["a", "b", "ab", "*", "*.x", "a*", "?", "**", "[ab]"], k=chance.choice([1, 1, 1, 2, 2, 3]))
    return chance.choice(["", "", "!"]) + chance.choice(["", "", "/"]) + "/".join(parts) + chance.choice(["", "", "/"])


def listed_by_git(root: Path) -> set[str]:
    quiet = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "init", "-q", "."], cwd=root, env=quiet, check=True, timeout=60)
    command = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, env=quiet, check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split("\0")) - {""}


# --- links, names, sizes ---------------------------------------------------------------------------------------------


def test_a_link_inside_the_folder_is_packed_as_what_it_leads_to(tmp_path: Path) -> None:
    spec = folder(tmp_path, "common/net.py", "common/sub/x.py")
    (tmp_path / "alias.py").symlink_to("model.py")
    (tmp_path / "lib").symlink_to("common")
    selection = select(spec)
    sources = {file.path: file.source for file in selection.files if file.path != file.source}
    expected = {"alias.py": "model.py", "lib/net.py": "common/net.py", "lib/sub/x.py": "common/sub/x.py"}
    assert sources == expected


def test_a_link_carries_nothing_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "private.txt").write_text("x", encoding="utf-8")
    project = tmp_path / "project"
    project.mkdir()
    spec = folder(project, ".env", "deep/x.py")
    for name, target in {
        "out.txt": "../home/private.txt",
        "home": "../home",
        "settings": ".env",
        "nowhere": "absent",
        "round": "round",
        "deep/up": "..",
        "self": ".",
        "absolute": str(tmp_path / "home"),
    }.items():
        (project / name).symlink_to(target)
    selection = select(spec)
    assert chosen(selection) == {"deep/x.py"}
    reasons = {each.path: each.because for each in selection.left_out if each.kind is Kind.LINK}
    assert reasons.keys() == {"out.txt", "home", "settings", "nowhere", "round", "deep/up", "self", "absolute"}
    assert reasons["settings"] == ".env is left out itself"
    assert "out of the folder" in reasons["out.txt"]


def test_a_name_that_is_not_utf8_is_left_out_and_can_be_told(tmp_path: Path) -> None:
    spec = folder(tmp_path, os.fsdecode(b"caf\xe9.csv"), os.fsdecode(b"dir\xff/x.csv"))
    (tmp_path / "link").symlink_to(os.fsdecode(b"caf\xe9.csv"))
    selection = select(spec)
    assert chosen(selection) == set()
    assert why(selection, Kind.NAME) == {"caf?.csv", "dir?/x.csv"}
    assert "caf?.csv" in selection.model_dump_json()


def test_a_spec_that_is_a_link_stands_for_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    spec = folder(tmp_path / "project", "net.py")
    (tmp_path / "here.yaml").symlink_to(spec)
    assert chosen(select(tmp_path / "here.yaml")) == {"net.py"}


def test_folders_in_folders_without_end_are_left_out_where_they_become_too_deep(tmp_path: Path) -> None:
    spec = folder(tmp_path, "/".join(["d"] * 15 + ["fine.py"]), "/".join(["d"] * 200 + ["far.py"]))
    selection = select(spec)
    assert {Path(path).name for path in chosen(selection)} == {"fine.py"}
    assert why(selection, Kind.NAME) == {"d/" * 16}


def test_a_pipe_is_left_out_and_never_opened(tmp_path: Path) -> None:
    spec = folder(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert why(select(spec), Kind.SPECIAL) == {"pipe"}


def test_names_that_differ_in_capitals_alone_must_be_told_apart_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`Net\.py` and `net\.py` differ in capitals"):
        select(folder(tmp_path, "Net.py", "net.py"))


def test_accents_are_written_in_one_way(tmp_path: Path) -> None:
    (file,) = (file for file in select(folder(tmp_path, "e\u0301.csv")).files if file.path not in ALWAYS)
    assert (file.path, file.source) == ("\u00e9.csv", "e\u0301.csv")


def test_what_data_paths_name_and_what_we_wrote_stay_behind(tmp_path: Path) -> None:
    spec = folder(
        tmp_path, "big/x.bin", "diagnosis/diagnosis.json", "diagnosis/report.html", "diagnoser-package.tar.gz", "p.gz"
    )
    selection = select(spec, data_paths=[tmp_path / "big", tmp_path, Path("/")], archive=tmp_path / "p.gz")
    assert chosen(selection) == set()
    assert why(selection, Kind.DATA_PATH) == {"big/"}
    assert why(selection, Kind.OWN) == {"diagnosis/", "diagnoser-package.tar.gz", "p.gz"}


def test_a_folder_with_a_hundred_thousand_files_is_not_walked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "MOST_SEEN", 5)
    with pytest.raises(UsageError, match="is it the folder of the source"):
        select(folder(tmp_path, *(f"{number}.py" for number in range(5))))


def test_too_many_files_are_refused_with_the_folders_that_hold_them(tmp_path: Path) -> None:
    selection = select(folder(tmp_path, *(f"images/{number}.png" for number in range(20))))
    with pytest.raises(PackageError, match=r"(?s)24 files.*at most 10.*20  images/.*data\.paths"):
        check_size(selection, limits=Limits(files=10))


def test_too_many_bytes_are_refused_with_the_largest_files(tmp_path: Path) -> None:
    spec = folder(tmp_path)
    (tmp_path / "big.csv").write_bytes(bytes(5000))
    with pytest.raises(PackageError, match=r"(?s)5 kB, and at most 4 kB.*5 kB  big\.csv.*\.diagnoserignore"):
        check_size(select(spec), limits=Limits(unpacked=4000))
