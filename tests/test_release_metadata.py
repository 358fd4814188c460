"""What stands beside the code: versions, citation, forms for issues, the pages on data and security."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from course_utils import __version__
from course_utils.data.catalog import PUBLISHED

REPOSITORY = Path(__file__).parents[1]
TEMPLATES = REPOSITORY / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path.stem for path in TEMPLATES.glob("*.yml") if path.stem != "config")
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"))
)
LABS = sorted(path.stem for path in (REPOSITORY / "solutions").glob("0*.py"))

# GitHub's rules: "Syntax for issue forms" and "Syntax for GitHub's form schema" in its documentation.
ATTRIBUTES = {
    "markdown": {"value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "input": {"label", "description", "placeholder", "value"},
}
"""The kinds of fields that the forms use, of those that GitHub has, and what each may say."""


def read(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def form(name: str) -> dict[str, Any]:
    return yaml.safe_load((TEMPLATES / f"{name}.yml").read_text("utf-8"))


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == __version__
    assert citation["version"] == __version__
    newest = re.search(r"^## (.+)$", read("CHANGELOG.md"), re.M)
    assert newest and newest[1] == f"{__version__} ({citation['date-released']})"


def test_the_citation_names_whom_the_licence_names_and_the_lecture() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["title"]
    (author,) = citation["authors"]
    assert f"Copyright (c) 2026 {author['name']}" in read("LICENSE")
    (lecture,) = citation["references"]
    assert lecture["type"] == "slides" and lecture["year"] == 2021
    assert f'"{lecture["title"]}"' in read("LICENSE")


@pytest.mark.parametrize("lab", LABS)
def test_each_lab_names_the_lecture_once_with_title_author_and_year(lab: str) -> None:
    text = re.sub(r"\n# ", " ", read(f"solutions/{lab}.py"))
    lecture = "X. Bresson, *Convolutional neural networks implementation* (2021/22), lecture 8 of CS5242"
    assert text.count(lecture) == 1


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_one_that_github_accepts(name: str) -> None:
    found = form(name)
    assert set(found) <= {"name", "description", "title", "labels", "body"}
    assert all(isinstance(found[key], str) and found[key].strip() for key in ("name", "description"))
    for field in found["body"]:
        kind, attributes = field["type"], field["attributes"]
        assert set(field) <= (
            {"type", "attributes"} if kind == "markdown" else {"type", "attributes", "id", "validations"}
        )
        assert set(attributes) <= ATTRIBUTES[kind]
        assert all(isinstance(value, str) and value.strip() for value in attributes.values())
        assert set(field.get("validations", {})) <= {"required"}
    asked = [field for field in found["body"] if field["type"] != "markdown"]
    for unique in ([field["id"] for field in asked], [field["attributes"]["label"] for field in asked]):
        assert unique and len(set(unique)) == len(unique)
    assert all(re.fullmatch(r"[\w-]+", field["id"]) for field in asked)


def test_forms_have_names_of_their_own_and_anything_else_may_be_written() -> None:
    assert len({form(name)["name"] for name in FORMS}) == len(FORMS) == 3
    assert form("config") == {"blank_issues_enabled": True}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_asks_for_what_a_test_is_made_of(name: str) -> None:
    fields = {field.get("id"): field for field in form(name)["body"]}
    assert {"code", "card", "version", "doctor"} <= set(fields)
    assert fields["code"]["attributes"]["render"] == "python"
    assert "course --version" in fields["version"]["attributes"]["description"]
    assert "course doctor" in fields["doctor"]["attributes"]["description"]
    if name != "accessibility":
        assert all(fields[field]["validations"]["required"] for field in fields if field)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_data_page_tells_each_server_and_how_much_is_downloaded(name: str) -> None:
    page, dataset = read("docs/data.md"), PUBLISHED[name]
    assert all(f"`{mirror.removeprefix('https://')}`" in page for mirror in dataset.mirrors)
    size = sum(archive.size for archive, *_ in dataset.parts) / 10**6
    assert f"downloaded | {size:.3g} MB" in page


def test_the_security_page_counts_the_hostile_submissions() -> None:
    count = len(list((REPOSITORY / "tests" / "hostile").glob("*.py")))
    assert f"`tests/hostile` holds {count} such submissions" in " ".join(read("SECURITY.md").split())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", read(document))
    assert [link for link in links if not (REPOSITORY / document).parent.joinpath(link).exists()] == []
