"""What commands say of a bucket."""

from pathlib import Path

from lookalike.doctor.host import check_watching
from lookalike.doctor.result import CheckResult
from lookalike.doctor.storage import check_library
from lookalike.local.first_search import suggested_search
from lookalike.pictures.thumbnails import thumbnails_of
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder
from tests.library.buckets import Served
from tests.support.pictures import encoded, picture


def test_doctor_tells_whether_it_can_be_read(served: Served, tmp_path: Path) -> None:
    settings, folder = read_settings(library=served.address, bucket_retry_s=0.3), DataFolder(tmp_path)
    assert check_library(settings, folder).state == "warning"

    served.put("a.jpg")
    assert check_library(settings, folder) == CheckResult("library", "ok", served.address)

    served.faults.denied = "ExpiredToken"
    found = check_library(settings, folder)
    assert found.state == "broken"
    assert found.remedy == "The library cannot be read with the keys that are set (ExpiredToken): give valid ones."


def test_doctor_tells_how_changes_are_found() -> None:
    assert "scans: a bucket is not watched" in check_watching(read_settings(library="s3://photos")).found
    told = check_watching(read_settings(library="s3://photos", bucket_events="bucket-events")).found
    assert "notifications in bucket-events" in told


def test_up_suggests_to_search_for_an_object(served: Served) -> None:
    served.put("a b.jpg")

    assert suggested_search(read_settings(library=served.address)).endswith(f" search '{served.address}/a b.jpg'")


def test_a_thumbnail_of_an_object_is_drawn_here(served: Served) -> None:
    served.put("a.png", encoded(picture(1, (640, 480))))

    drawn = thumbnails_of(read_settings(library=served.address)).of_path("a.png", 64)

    assert drawn.size == (64, 48)
