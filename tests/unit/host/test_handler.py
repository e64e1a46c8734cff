import sys
from pathlib import Path

import pytest

from host.handler import load_handler

from .conftest import write_handler


def no_report(state: str, progress: float | None) -> None:
    raise AssertionError("the handler does not report")


def test_files_beside_the_handler_are_imported_absolutely(tmp_path: Path) -> None:
    folder = write_handler(
        tmp_path,
        """
        import beside_the_handler

        class EndpointHandler:
            def __init__(self, path=""):
                self.path = path

            def __call__(self, data):
                return beside_the_handler.WORD
        """,
    )
    (folder / "echo" / "beside_the_handler.py").write_text("WORD = 'found'\n")
    assert load_handler(folder / "echo", no_report)({}) == "found"
    assert sys.path[0] == str(folder / "echo")


def test_relative_imports_fail_as_they_do_on_an_endpoint(tmp_path: Path) -> None:
    folder = write_handler(tmp_path, "from . import beside\n")
    with pytest.raises(ImportError):
        load_handler(folder / "echo", no_report)


def test_the_constructor_is_called_once_with_the_folder(tmp_path: Path) -> None:
    folder = write_handler(
        tmp_path,
        """
        class EndpointHandler:
            made = []

            def __init__(self, path=""):
                self.made.append(path)

            def __call__(self, data):
                return self.made
        """,
    )
    assert load_handler(folder / "echo", no_report)({}) == [str(folder / "echo")]


def test_a_constructor_that_names_report_gets_it(tmp_path: Path) -> None:
    folder = write_handler(
        tmp_path,
        """
        class EndpointHandler:
            def __init__(self, path="", report=None):
                report("compiling", None)

            def __call__(self, data):
                return None
        """,
    )
    reports: list[tuple[str, float | None]] = []
    load_handler(folder / "echo", lambda state, progress: reports.append((state, progress)))
    assert reports == [("compiling", None)]


def test_a_file_without_the_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="EndpointHandler"):
        load_handler(write_handler(tmp_path, "x = 1\n") / "echo", no_report)


def test_a_constructor_that_names_beside_gets_the_handler_that_it_is_served_beside(tmp_path: Path) -> None:
    folder = write_handler(
        tmp_path,
        """
        class EndpointHandler:
            def __init__(self, path="", beside=None):
                self.beside = beside

            def __call__(self, data):
                return self.beside
        """,
    )
    alone = load_handler(folder / "echo", no_report)
    assert alone({}) is None
    assert load_handler(folder / "echo", no_report, beside=alone)({}) is alone
