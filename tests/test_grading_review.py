"""Review by hand: what is asked, what is saved, and who may ask."""

from __future__ import annotations

import csv
import http.client
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from filelock import FileLock
from open_questions import class_with_questions, graded

from course_utils.command_line import main
from course_utils.errors import GradingError
from course_utils.grading.review.items import Review, SavedElsewhereError
from course_utils.grading.review.server import LARGEST_BODY, ReviewServer

ANN = "1/explain_padding/Ann Lee"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    class_with_questions(folder)
    graded(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "class")


@pytest.fixture
def review(folder: Path) -> Review:
    return Review(folder / "out")


def kept(review: Review) -> list[list[str]]:
    file = review.output / "corrections.csv"
    return (
        list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines(True)))[1:] if file.exists() else []
    )


def test_all_answers_to_a_question_come_after_each_other_and_the_empty_ones_last(review):
    places = [item.place.split("/")[1:] for item in review.now().items]
    assert places == [
        *(["explain_padding", student] for student in ("Ann Lee", "Bo", "Cy", "Dora")),
        *(["edges", student] for student in ("Bo", "Dora", "Ann Lee", "Cy")),
        *(["essay", student] for student in ("Ann Lee", "Bo", "Cy", "Dora")),
        ["output_size", "Cy"],
        ["output_size", "Dora"],
        ["", "Eve"],
    ]
    assert all(map(review.now().waits, review.now().items))


def test_points_are_saved_as_the_command_line_saves_them_and_run_nothing_again(review, folder):
    review.save(ANN, "1,5", 'Right, "mostly"\n=1', ("", ""))
    assert kept(review) == [["Ann Lee", "explain_padding", "1.5", 'Right, "mostly"\n\'=1', "1", "2"]]
    review.save("1/output_size/Cy", "1", "", ("", ""))
    review.save("//Eve", "", "Send the notebook itself.", ("", ""))
    assert review.saved == 3
    done = graded(folder)
    assert done.graded == 0
    rows = {row.student: row for row in done.rows}
    assert rows["Ann Lee"].points["explain_padding"] == 1.5 and rows["Cy"].status == "graded"
    assert rows["Eve"].comment == "Send the notebook itself."
    again = Review(review.output).now()
    assert [item.place for item in again.items if not again.waits(item)] == [ANN, "1/output_size/Cy", "//Eve"]
    assert again.word(again.items[0]) == ("1.5", 'Right, "mostly"\n=1')


def test_both_fields_empty_take_points_back_and_nobodys_else(review):
    review.save(ANN, "2", "", ("", ""))
    review.save("1/edges/Bo", "0", "no", ("", ""))
    review.save(ANN, "", "", ("2", ""))
    assert [row[0] for row in kept(review)] == ["Bo"]


@pytest.mark.parametrize(
    ("place", "points", "comment", "complaint"),
    [
        (ANN, "3", "", "Not saved: points are 3, but explain_padding has 2."),
        (ANN, "-1", "", "which is negative"),
        (ANN, "two", "", "Not saved: points are 'two', not a number."),
        (ANN, "nan", "", "not a number"),
        (ANN, "0", "5", "for 0.5 points, write 0.5"),
        ("1/output_size/Cy", "2", "", "but output_size has 1"),
        ("1/zero_pad/Ann Lee", "1", "", "no longer in the class"),
        ("1/explain_padding/Nobody", "1", "", "no longer in the class"),
    ],
)
def test_what_the_command_line_refuses_is_refused_here(place, points, comment, complaint, review):
    with pytest.raises(GradingError) as refused:
        review.save(place, points, comment, ("", ""))
    assert complaint in f"{refused.value.what} {refused.value.why}"
    assert kept(review) == [] and review.saved == 0


def test_a_second_tab_is_told_what_is_newer_and_overwrites_nothing(review):
    review.save(ANN, "2", "Good.", ("", ""))
    with pytest.raises(SavedElsewhereError, match=r"at \d\d:\d\d:\d\d, .*: 2 points, “Good.”") as refused:
        review.save(ANN, "0", "", ("", ""))
    assert kept(review)[0][2:4] == ["2", "Good."]
    review.save(ANN, "0", "", refused.value.now)
    assert kept(review)[0][2:4] == ["0", ""]


def test_what_an_editor_or_another_run_writes_is_seen_at_once_and_kept(review, folder):
    graded(folder, "Ann Lee,explain_padding,1,by --set", "Bo,edges,2")
    assert review.now().word(review.now().items[0]) == ("1", "by --set")
    with pytest.raises(SavedElsewhereError, match="by --set"):
        review.save(ANN, "2", "", ("", ""))
    review.save("1/edges/Dora", "1", "", ("", ""))
    assert [row[:3] for row in kept(review)] == [
        ["Ann Lee", "explain_padding", "1"], ["Bo", "edges", "2"], ["Dora", "edges", "1"],
    ]  # fmt: skip


def test_while_a_class_is_graded_nothing_is_saved(review, monkeypatch):
    monkeypatch.setattr("course_utils.grading.result_store._SAVING", 0)
    with FileLock(review.output / ".lock"), pytest.raises(GradingError, match="Another run of course grade"):
        review.save(ANN, "2", "", ("", ""))
    review.save(ANN, "2", "", ("", ""))
    assert len(kept(review)) == 1


def test_points_that_are_saved_while_a_run_begins_are_not_lost(review, folder, monkeypatch):
    from course_utils.grading import grade_class

    prepare = grade_class._prepare

    def meanwhile(*arguments):
        review.save(ANN, "2", "", ("", ""))
        return prepare(*arguments)

    monkeypatch.setattr(grade_class, "_prepare", meanwhile)
    graded(folder, "Bo,edges,1")
    assert [row[:3] for row in kept(review)] == [["Ann Lee", "explain_padding", "2"], ["Bo", "edges", "1"]]


def test_saving_from_many_threads_loses_nothing(review):
    items = [item for item in review.now().items if item.kind == "question"]
    threads = [threading.Thread(target=review.save, args=(item.place, "1", "", ("", ""))) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(review)) == len(items) == review.saved


def test_grades_from_before_need_one_more_run(folder, tmp_path):
    with pytest.raises(GradingError, match="There are no grades in") as refused:
        Review(tmp_path)
    assert "course grade SUBMISSIONS -o" in refused.value.next_step
    (folder / "out" / "results" / "review.json").unlink()
    with pytest.raises(GradingError, match="is not kept") as refused:
        Review(folder / "out")
    assert "once more" in refused.value.next_step
    assert graded(folder).graded == 0 and Review(folder / "out").now().items


Ask = Callable[..., tuple[int, dict[str, str], str]]


@pytest.fixture
def server(review: Review) -> Iterator[ReviewServer]:
    with ReviewServer(review) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server: ReviewServer) -> Ask:
    """Sends a request to an address below the token; the answer is status, headers and text."""

    def asks(
        path: str = "",
        method: str = "GET",
        body: str | bytes | None = None,
        *,
        token: str = server.token,
        **headers: str,
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/{token}/{path}" if token else f"/{path}", body, named)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.headers), text

    return asks


def saving(server: ReviewServer, **fields: object) -> dict[str, str]:
    body = {"place": ANN, "points": "1", "comment": "", "before": ["", ""]} | fields
    return {"path": "save", "method": "POST", "body": json.dumps(body)}


def good(server: ReviewServer) -> dict[str, str]:
    return {"Content_Type": "application/json", "X_Token": server.token}


def test_the_first_address_leads_to_what_waits_and_keeps_its_place(ask, server):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{43}/", server.url)
    assert server.socket.getsockname()[0] == "127.0.0.1"
    status, headers, _ = ask()
    assert (status, headers["Location"]) == (303, "?at=1%2Fexplain_padding%2FAnn+Lee")
    status, headers, text = ask(headers["Location"])
    assert status == 200 and "<h1>Ann Lee · explain_padding</h1>" in text
    assert (
        "default-src 'none'" in headers["Content-Security-Policy"] and "no-store" in headers["Cache-Control"]
    )
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_a_page_shows_answer_question_and_model_and_escapes_them(ask):
    text = ask(f"?at={quote('1/explain_padding/Bo')}")[2]
    for shown in (
        "&lt;img src=x onerror=alert(1)&gt;",
        "Is <code>f &lt; 3</code> allowed?",
        "a filter of 3 × 3 takes two away",
    ):
        assert shown in text
    assert text.count("<script") == 1 and "<img" not in text
    text = ask(f"?at={quote('1/output_size/Dora')}")[2]
    assert "def outputsize(n, f, p=0, s=1):" in text and "output_size: wrong" in text
    assert "return (padded - f) // s + 1" in text
    text = ask(f"?at={quote('1/output_size/Cy')}")[2]
    assert "import nobody_has_this" in text and "<code>nobody_has_this</code>, not installed" in text
    assert "not JSON" in ask(f"?at={quote('//Eve')}")[2]


def test_an_empty_answer_suggests_nothing_but_zero_and_gives_nothing(ask, review):
    text = ask(f"?at={quote('1/edges/Cy')}")[2]
    assert "○ Not started." in text and 'value="0"' in text and "0 is a suggestion" in text
    assert kept(review) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?only=questions", ["explain_padding", "edges", "essay"]),
        ("?name=edges", ["edges"]),
        ("?lab=2", []),
        ("?lab=1", ["explain_padding", "edges", "essay", "output_size"]),
    ],
)
def test_filters_choose_and_the_rest_is_not_walked_through(query, expected, ask):
    found, address = [], ask(query)[1].get("Location")
    while address:
        text = ask(address)[2]
        found.append(re.search(r"<h1>[^·]+ · (?:[\d.]+ )?(\w+)", text)[1])
        following = re.search(r'rel="next" href="([^"]+)"', text)
        address = following and following[1].replace("&amp;", "&")
    assert list(dict.fromkeys(found)) == expected
    assert ("Nothing waits here" in ask(query)[2]) == (not expected)


def test_what_is_decided_is_passed_over_unless_it_is_asked_for(ask, server):
    assert ask(**saving(server, points="2"), **good(server))[0] == 200
    assert ask()[1]["Location"] == "?at=1%2Fexplain_padding%2FBo"
    assert ask("?show=all")[1]["Location"] == "?show=all&at=1%2Fexplain_padding%2FAnn+Lee"
    text = ask(f"?at={quote(ANN)}")[2]  # a reload keeps the place
    assert 'value="2"' in text and "<strong>14 left</strong>" in text


def test_nobody_without_the_token_gets_anything(ask, server, review):
    wrong = server.token[:-1] + ("a" if server.token[-1] != "a" else "b")
    for token in ("", wrong, server.token.upper(), "%00", "é" * 43):
        status, headers, text = ask(token=quote(token, safe="%"))
        assert (status, text) == (403, "Forbidden.") and "Location" not in headers
        post = saving(server)
        assert ask(**post, token=quote(token, safe="%"), **good(server))[0] == 403
    assert ask("review.json")[0] == ask("../results/review.json")[0] == 404
    assert kept(review) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
    ],
    ids=lambda headers: " ".join(*headers.items()),
)
def test_another_host_or_origin_is_refused(headers, ask, server, review):
    assert ask(**headers)[0] == 403
    assert ask(**saving(server), **good(server), **headers)[0] == 403
    assert kept(review) == []


def test_a_tunnel_may_use_another_port_of_this_machine(ask):
    assert ask(Host="localhost:8000", Origin="http://localhost:8000")[0] == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Token": ""}, 403),
        ({"X_Token": "guessed"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Length": "x"}, 411),
        ({"Content_Length": "-1"}, 411),
        ({"Content_Length": str(LARGEST_BODY + 1)}, 413),
        ({"Content_Length": "9" * 30}, 413),
    ],
)
def test_a_form_of_another_page_or_an_endless_one_is_refused(headers, status, ask, server, review):
    request = saving(server)
    if "Content_Length" in headers:
        request["body"] = None
    assert ask(**request, **(good(server) | headers))[0] == status
    assert kept(review) == []


@pytest.mark.parametrize(
    "body",
    {
        "nothing": "",
        "cut": "{",
        "list": "[]",
        "number": "1",
        "deep": "[" * 10_000,
        "part": '{"place": 1}',
        "number for points": '{"place":"","points":1,"comment":"","before":["",""]}',
        "numbers before": '{"place":"","points":"","comment":"","before":[1,2]}',
        "one before": '{"place":"","points":"","comment":"","before":[""]}',
    }.items(),
    ids=lambda body: body[0],
)
def test_what_says_nothing_saves_nothing(body, ask, server, review):
    assert ask("save", "POST", body[1], **good(server))[0] == 400
    assert kept(review) == []


def test_the_page_is_told_why_something_is_not_saved(ask, server, review):
    assert ask(**saving(server, points="7"), **good(server))[0] == 422
    error = json.loads(ask(**saving(server, points="7"), **good(server))[2])["error"]
    assert error == "Not saved: points are 7, but explain_padding has 2."
    review.save(ANN, "2", "", ("", ""))
    status, _, text = ask(**saving(server), **good(server))
    assert status == 409 and json.loads(text)["now"] == ["2", ""]
    (review.output / "corrections.csv").write_text("Ann Lee,explain_padding,9,\n", encoding="utf-8")
    error = json.loads(ask(**saving(server), **good(server))[2])["error"]
    assert error.startswith("Not saved. 1 mistake") and "corrections.csv, line 1" in error
    assert "corrections.csv, line 1" in ask()[2]  # and so is who opens the page


def test_half_a_letter_and_control_characters_in_a_comment_harm_nothing(ask, server, review):
    body = saving(server, comment="a\ud800b\0\x1b[31m\tc")
    assert ask(**body, **good(server))[0] == 200
    assert kept(review)[0][3] == "a?b[31m\tc"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_are_not_known(method, ask):
    status, headers, _ = ask(method=method)
    assert status == 501 and not [name for name in headers if name.startswith("Access-Control")]


def test_the_command_ends_quietly_and_says_what_to_do_next(folder, capsys, monkeypatch):
    opened = []

    def serve(server: ReviewServer) -> None:
        server.review.save(ANN, "2", "", ("", ""))
        raise KeyboardInterrupt

    monkeypatch.setattr(ReviewServer, "serve_forever", serve)
    monkeypatch.setattr("webbrowser.get", lambda: type("Browser", (), {"open": staticmethod(opened.append)}))
    assert main(["review", str(folder / "out"), "--no-browser"]) == 0
    out = capsys.readouterr().out
    assert "15 of 15 answers wait" in out and "Saved: 1, in" in out and "same course grade command" in out
    assert not opened


def test_a_browser_is_given_a_file_and_not_the_token(folder, monkeypatch):
    shown = []

    def opens(address: str) -> None:
        file = Path(urlsplit(address).path)
        shown.append((address, file.read_text(encoding="utf-8"), file.parent.stat().st_mode & 0o777))

    def serve(server: ReviewServer) -> None:
        while not shown:
            threading.Event().wait(0.01)
        assert server.token in shown[0][1] and server.token not in shown[0][0]
        raise KeyboardInterrupt

    monkeypatch.setattr(ReviewServer, "serve_forever", serve)
    monkeypatch.setattr("webbrowser.get", lambda: type("Browser", (), {"open": staticmethod(opens)}))
    assert main(["review", str(folder / "out")]) == 0
    assert shown[0][2] == 0o700


def test_a_taken_port_and_a_folder_without_grades_are_one_clear_error(server, folder, tmp_path, capsys):
    port = str(server.server_address[1])
    assert main(["review", str(folder / "out"), "--port", port, "--no-browser"]) == 1
    assert f"Cannot listen on port {port}." in capsys.readouterr().err
    assert main(["review", str(tmp_path / "nowhere")]) == 1
    assert "There are no grades in" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
