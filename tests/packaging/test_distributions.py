"""What is uploaded: built twice it is the same, whole, and asks for three libraries."""

import email
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
UNBUILT = shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
# What comes with a library that the package needs, and what an environment has from the start.
OF_OTHERS = {"certifi", "charset-normalizer", "idna", "urllib3", "typing-extensions", "pip", "setuptools"}


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=280, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder):
    """Both distributions, by name, of a copy of the project whose files are as old as the copy."""
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=UNBUILT, copy_function=shutil.copyfile)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source)
    return {path.name: path for path in (folder / "dist").iterdir()}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="session")
def wheel(built):
    return next(path for name, path in built.items() if name.endswith(".whl"))


@pytest.fixture(scope="session")
def sdist(built):
    return next(path for name, path in built.items() if name.endswith(".tar.gz"))


@pytest.fixture(scope="session")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def digests(distributions):
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in distributions.items()}


def test_two_builds_are_the_same_to_the_byte(built, tmp_path):
    """Whoever builds a release from its sources can compare it with the one that was uploaded."""
    assert len(built) == 2
    assert digests(build(tmp_path)) == digests(built)


def test_the_index_takes_them(built):
    """The metadata is valid, and the page that is shown for the project renders."""
    run(sys.executable, "-m", "twine", "check", "--strict", *built.values())


def test_the_wheel_has_no_oddities(wheel):
    """No bytecode, no tests, no second package, nothing outside of the package's folder."""
    run(sys.executable, "-m", "check_wheel_contents", wheel)


def test_the_wheel_has_every_file_of_the_package(wheel):
    """The page of the sandbox, its schema and `py.typed` are no Python, and are there."""
    package = ROOT / "spotzee_logging"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("spotzee_logging/")}

    assert packed == files
    assert "spotzee_logging/py.typed" in packed


@pytest.mark.parametrize("folder", ["tests", "docs", "benchmarks"])
def test_the_sdist_can_be_tested(sdist, folder):
    """Distributors who build from the sdist have the tests, the documentation and tox's file."""
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file() and not {"__pycache__", "_build"} & set(path.parts) and path.name != "tables.md"
    }
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}

    assert not files - packed
    assert {"tox.ini", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"} <= packed


def test_the_metadata_is_complete(metadata):
    """What an index shows and filters by: the Pythons, the licence, the addresses, the words."""
    classifiers = metadata.get_all("Classifier")

    assert metadata["Name"] == "spotzee-logging"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)} <= set(classifiers)
    assert "Typing :: Typed" in classifiers
    assert metadata["Keywords"]
    assert metadata["Summary"]
    assert metadata.get_all("Project-URL")
    assert set(metadata.get_all("Provides-Extra")) == {"fast", "cli", "sandbox", "all"}


INSTALLED = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"


def test_an_installation_brings_three_libraries_and_no_more(wheel, tmp_path):
    """`pip install` in an empty environment: requests, python-json-logger and wrapt, and the package works."""
    venv.create(tmp_path, with_pip=True)
    python = tmp_path / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)

    installed = {name.lower().replace("_", "-") for name in json.loads(run(python, "-c", INSTALLED))}

    assert installed - OF_OTHERS == {"spotzee-logging", "requests", "python-json-logger", "wrapt"}
    run(python, "-W", "error", "-c", "import spotzee_logging as s; s.SpotzeeHandler('sk_test').close()")
