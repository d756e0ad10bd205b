"""The page: its sections and its place, that it stands alone, that no text becomes markup."""

from pathlib import Path

import pytest

from nfgen.fields.field import Field
from nfgen.report import write_report

from .pages import COUNT, KINDS, SPEC, Page, make_all, make_fields, make_samples, octahedron

HOSTILE = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)>"""
ADVICE = "What would make it better"
HEADINGS = {
    "fields": {"Fields"},
    "tokens": {"Tokens"},
    "run": {"Training"},
    "samples": {"Samples", "Scores", "Novelty"},
}


@pytest.mark.parametrize("kinds", [*[(kind,) for kind in KINDS], KINDS, KINDS[::-1], ("samples", "fields")])
def test_any_mix_of_artifacts_in_any_order_gives_its_sections(
    kinds: tuple[str, ...], paths: dict[str, Path], tmp_path: Path
) -> None:
    page = Page(write_report([paths[kind] for kind in kinds], tmp_path / "page.html"))
    assert set(page.headings) - {ADVICE} == set.union({"How it was made"}, *(HEADINGS[kind] for kind in kinds))


def test_a_folder_of_artifacts_is_reported_whole_and_the_page_is_left_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_all(folder)
    (folder / "notes").mkdir()
    (folder / ".fields.nfgen-partial").mkdir()
    written = write_report([folder])
    assert written == folder / "index.html"
    assert set(Page(written).headings) == set.union({ADVICE, "How it was made"}, *HEADINGS.values())
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".fields.nfgen-partial"]
    assert write_report([folder]) == written


def test_default_place_is_in_the_first_artifact_and_beside_a_single_field(tmp_path: Path) -> None:
    make_fields(tmp_path / "fields", ("a", "b"))
    Field(SPEC, octahedron((0.5, 0.5, 0.5))).save(tmp_path / "one.safetensors")
    assert write_report([tmp_path / "fields", tmp_path / "one.safetensors"]) == tmp_path / "fields" / "index.html"
    assert write_report([tmp_path / "one.safetensors"]) == tmp_path / "one.html"
    assert write_report([tmp_path / "fields"], tmp_path) == tmp_path / "index.html"


def test_the_page_needs_nothing_but_itself(page: Page) -> None:
    sources = [attributes["src"] for _, attributes in page.elements if attributes.get("src")]
    assert sources
    assert all(str(source).startswith("data:image/") for source in sources)
    assert not page.all("link")
    assert not page.all("iframe")
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1
    assert "default-src 'none'" in str(policy[0])


def test_a_page_beside_its_artifacts_links_to_the_meshes(paths: dict[str, Path]) -> None:
    written = write_report([paths["samples"]], paths["samples"].parent / "beside page.html")
    links = [str(link["href"]) for link in Page(written).all("a") if "download" in link]
    assert len(links) == COUNT
    assert all((written.parent / link).is_file() for link in links)


def test_pictures_have_words_and_links_have_targets(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert all(str(link["href"])[1:] in ids for link in page.all("a"))
    # A picture that stands in for a model is named by the button that holds it.
    assert all(image["alt"] or image.get("class") == "poster" for image in page.all("img"))
    assert all(button.get("aria-label") for button in page.all("button") if "data-model" in button)
    assert all(svg.get("aria-label") for svg in page.all("svg"))
    models = {button["data-model"] for button in page.all("button") if "data-model" in button}
    assert models <= set(ids)
    assert {button.get("data-beside") for button in page.all("button") if button.get("data-beside")} <= models


def test_names_of_files_and_classes_never_become_markup(tmp_path: Path) -> None:
    make_all(tmp_path, (HOSTILE, *(f"s{i}" for i in range(COUNT - 1))))
    make_samples(tmp_path / "more", (HOSTILE,), label=HOSTILE)
    kinds = [*KINDS, "more"]
    page = Page(write_report([tmp_path / kind for kind in kinds], tmp_path / "page.html"))
    assert page.words.count(HOSTILE) >= 4
    scripts = [script for script in page.all("script") if script.get("type") != "application/octet-stream"]
    assert len(scripts) == 2
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert" not in page.text
