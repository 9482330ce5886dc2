"""Each fault of a relay has one honest end, and the operator can read which."""

from pathlib import Path

from tests.crash import faults

DOCS = Path(__file__).parents[2] / "docs" / "operating.md"


async def test_each_fault_ends_as_the_operating_manual_says(tmp_path: Path) -> None:
    assert faults.markdown(await faults.table(tmp_path)) in DOCS.read_text("utf-8")


def test_no_fault_lets_a_third_copy_out_or_leaves_staff_untold() -> None:
    """What the table says is what it should."""
    lines = [line for line in DOCS.read_text("utf-8").splitlines() if line.count("|") == 5]
    rows = {
        cells[0]: cells[1:] for line in lines if (cells := [cell.strip() for cell in line.strip("| ").split(" | ")])
    }
    for case in faults.CASES:
        once, good, staff = rows[case.name]
        assert staff != "nothing"
        assert good.split(", ")[0] in {"waits", "failed", "unknown"}
        assert int(good.split(", ")[1]) <= 2
        assert once == "–" or once.split(", ")[0] in {"sent", "failed"}
