"""A report destroys nothing: not what is imported, not the mapping, not anybody's file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli.imports.outcomes import Outcome, Refusal, RefusedBy
from cli.imports.sending import report_place
from cli.imports.sending.report import open_report
from cli.imports.sending.report_place import (
    ReportError,
    check_report_place,
    default_report,
    written_beside,
)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the working directory, with a file and its mapping."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ads.csv").write_text("a\n1\n")
    (tmp_path / "map.yaml").write_text("version: 1\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def refused(report: str | Path) -> str:
    with pytest.raises(ReportError) as error:
        check_report_place(Path(report), Path("ads.csv"), Path("map.yaml"))
    told = str(error.value)
    assert str(Path(report)) in told
    assert "\n" not in told
    return told


def link(there: Path, kind: str, target: str) -> Path:
    made = there / "folder" / "link.csv"
    if kind == "symlink":
        made.symlink_to(there / target)
    elif kind == "symlink to a symlink":
        (there / "folder" / "first").symlink_to(there / target)
        made.symlink_to(there / "folder" / "first")
    else:
        made.hardlink_to(there / target)
    return made


@pytest.mark.parametrize("kept", ["ads.csv", "map.yaml"])
@pytest.mark.parametrize("spelt", ["{0}", "./{0}", "folder/../{0}", "{1}/{0}", "{2}"])
def test_a_report_never_takes_the_name_of_what_is_read(there: Path, kept: str, spelt: str) -> None:
    refused(spelt.format(kept, there, kept.upper()))


@pytest.mark.parametrize("kept", ["ads.csv", "map.yaml"])
@pytest.mark.parametrize("kind", ["symlink", "symlink to a symlink", "hard link"])
def test_a_report_never_leads_to_what_is_read(there: Path, kept: str, kind: str) -> None:
    assert "name another file" in refused(link(there, kind, kept))


def test_a_file_that_is_itself_a_link_is_kept_as_well(there: Path) -> None:
    (there / "link.csv").symlink_to(there / "ads.csv")
    with pytest.raises(ReportError):
        check_report_place(Path("ads.csv"), Path("link.csv"), Path("map.yaml"))


@pytest.mark.parametrize(
    "device",
    ["/dev/null", "/dev/stdout", "/dev/fd/1", "/dev/new.jsonl", "/proc/self/fd/1", "/sys/x.jsonl"],
)
def test_a_device_is_no_place_for_a_report(there: Path, device: str) -> None:
    assert "no place for a file" in refused(device)


def test_a_link_to_a_device_is_none_either(there: Path) -> None:
    (there / "report.jsonl").symlink_to("/dev/null")
    refused(there / "report.jsonl")


def test_no_folder_is_made_for_a_report_that_is_named(there: Path) -> None:
    for named in ("typo/report.jsonl", there / "folder" / "typo" / "report.jsonl"):
        assert "make it first" in refused(named)
        with pytest.raises(ReportError, match="No such file"), written_beside(Path(named)):
            pass
    assert sorted(each.name for each in there.iterdir()) == ["ads.csv", "folder", "map.yaml"]
    assert not list((there / "folder").iterdir())


def test_a_folder_and_a_pipe_are_told_as_what_they_are(there: Path) -> None:
    os.mkfifo(there / "pipe")
    assert "is a directory" in refused("folder")
    assert "no regular file" in refused("pipe")


@pytest.mark.parametrize(
    "text", ["my notes\n", "{}\n", "[1]\n", "a,b\n1,2\n", '{"row": 1}\n', "\x00", "[" * 50_000]
)
def test_a_file_that_is_no_report_never_gives_way(there: Path, text: str) -> None:
    (there / "precious").write_text(text)
    assert "no report of an import" in refused("precious")


@pytest.mark.parametrize("name", ["report.jsonl", "report.csv"])
def test_a_report_gives_way_to_one_of_the_same_file_and_no_other(there: Path, name: str) -> None:
    (there / "folder" / "ads.csv").write_text("a\n1\n")
    with open_report(Path(name), Path("ads.csv")) as report:
        report.write(Outcome(1, 2, "x"))
    check_report_place(Path(name), Path("folder/../ads.csv"), Path("map.yaml"))
    with pytest.raises(ReportError, match="is the report of another file"):
        check_report_place(Path(name), Path("folder/ads.csv"), Path("map.yaml"))


@pytest.mark.parametrize("name", ["report.jsonl", "report.csv"])
def test_a_report_without_rows_and_an_empty_file_hold_nothing_to_lose(
    there: Path, name: str
) -> None:
    with open_report(Path(name), Path("other.csv")):
        pass
    with open_report(Path(name), Path("ads.csv")) as report:
        check_report_place(Path(name), Path("ads.csv"), Path("map.yaml"))
        report.write(Outcome(1, 2, "x"))
    assert str(there / "ads.csv") in (there / name).read_text()


@pytest.mark.parametrize("name", ["my ads\u00a0\u2028.csv", "a'b\".csv", "\udcff.csv"])
def test_a_file_of_an_odd_name_is_known_again(there: Path, name: str) -> None:
    (there / "report.jsonl").unlink(missing_ok=True)
    Path(name).write_text("a\n1\n")
    with open_report(Path("report.jsonl"), Path(name)) as report:
        report.write(Outcome(1, 2, "x"))
    check_report_place(Path("report.jsonl"), Path(name), Path("map.yaml"))
    with pytest.raises(ReportError, match="another file"):
        check_report_place(Path("report.jsonl"), Path("ads.csv"), Path("map.yaml"))


def test_files_of_one_name_have_reports_of_two(there: Path) -> None:
    places = {default_report(there, there / each / "ads.csv") for each in ("a", "b")}
    assert len(places) == 2
    assert default_report(there, Path("ads.csv")) == default_report(there, there / "ads.csv")


def test_a_report_gets_its_name_when_it_is_whole(there: Path) -> None:
    (there / "report.jsonl").write_text("before")
    with written_beside(Path("report.jsonl")) as text:
        text.write("after")
        assert (there / "report.jsonl").read_text() == "before"
    assert (there / "report.jsonl").read_text() == "after"


def half_written(error: type[BaseException]) -> None:
    with written_beside(Path("report.jsonl")) as text:
        text.write("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_an_import_that_ends_early_leaves_what_was_there_and_no_part(
    there: Path, error: type[BaseException]
) -> None:
    (there / "report.jsonl").write_text("before")
    before = sorted(there.iterdir())
    with pytest.raises((error, ReportError)):
        half_written(error)
    assert sorted(there.iterdir()) == before
    assert (there / "report.jsonl").read_text() == "before"


def test_a_link_goes_on_leading_where_it_led(there: Path) -> None:
    (there / "report.jsonl").symlink_to(there / "folder" / "real.jsonl")
    with written_beside(there / "report.jsonl") as text:
        text.write("x")
    assert (there / "report.jsonl").is_symlink()
    assert (there / "folder" / "real.jsonl").read_text() == "x"


def report_of(name: str, rows: int) -> None:
    with open_report(Path(name), Path("ads.csv")) as report:
        for row in range(rows):
            report.write(Outcome(row, row, "x" * 40))


def test_a_full_disk_is_told_with_the_reports_name_and_leaves_nothing(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def on_a_full_disk(path: Path, *arguments: object, **options: object) -> object:
        return (
            real(Path("/dev/full"), "w")
            if path.suffix == ".part"
            else real(path, *arguments, **options)
        )  # type: ignore[call-overload]

    monkeypatch.setattr(report_place.Path, "open", on_a_full_disk)
    with pytest.raises(ReportError, match=r"the report out\.jsonl can't be written: No space left"):
        report_of("out.jsonl", 5_000)
    assert sorted(each.name for each in there.iterdir()) == ["ads.csv", "folder", "map.yaml"]


@pytest.mark.parametrize("name", ["ads.csv/report.jsonl", "x" * 300, "/proc/nowhere/report.jsonl"])
def test_a_place_where_nothing_can_be_written_is_told(there: Path, name: str) -> None:
    with pytest.raises(ReportError, match="can't be written"):
        report_of(name, 1)


def test_control_characters_of_a_refusal_are_seen_in_a_report(there: Path) -> None:
    refusal = Refusal(RefusedBy.VALIDATION, "invalid_field", "a\x00b\nc", "title", "c\x1b")
    for name in ("r.jsonl", "r.csv"):
        with open_report(Path(name), Path("ads.csv")) as report:
            report.write(Outcome(1, 2, refusal=refusal))
        assert not set((there / name).read_text()) & set("\x00\x1b")
    line = json.loads((there / "r.jsonl").read_text())
    assert (line["field"], line["column"], line["detail"]) == ("title", "c\\x1b", "a\\x00b\\nc")
