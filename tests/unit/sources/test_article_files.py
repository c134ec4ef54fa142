"""Imports of a knowledge base: what lies in RAW_DIR afterwards, what is left out, and what was refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pipeline.errors import InputError, MappingError
from pipeline.sources.article_files import import_articles, load_article_mapping
from pipeline.sources.raw import load_raw

ROWS = [
    {"id": 1, "name": "Mail", "body": "<p>Write to ann@example.org</p>", "live": "yes", "for": "all", "lang": "en-US"},
    {"id": 2, "name": "Half done", "body": "soon", "live": "no", "for": "all", "lang": "en"},
    {"id": 3, "name": "For us", "body": "secret", "live": "yes", "for": "staff", "lang": "en"},
    {"id": 4, "name": "Odd", "body": "who knows", "live": "perhaps", "for": "all", "lang": "en"},
    {"id": None, "name": "No id", "body": "x", "live": "yes", "for": "all", "lang": "en"},
    {"id": 1, "name": "Again", "body": "x", "live": "yes", "for": "all", "lang": "en"},
    {"id": 6, "name": None, "body": None, "live": "yes", "for": "all", "lang": "en"},
]
MAPPING = """
article_id: id
title: name
text: body
language: lang
state: {column: live, levels: {"yes": published, "no": draft}}
visibility: {column: for, levels: {all: public, staff: internal}}
"""


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def table(folder: Path) -> Path:
    return put(folder / "kb.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))


def test_only_what_is_published_and_public_is_imported(tmp_path: Path) -> None:
    mapping = load_article_mapping(put(tmp_path / "m.yaml", MAPPING))
    summary = import_articles([table(tmp_path)], tmp_path / "raw", mapping=mapping)
    found = load_raw(tmp_path / "raw").articles
    assert found["article_id"].tolist() == ["1"] and found["language"].tolist() == ["en"]
    assert "ann@example.org" not in found["text"].iloc[0] and "[EMAIL]" in found["text"].iloc[0]
    assert summary.refused == {"duplicate_id": 1, "missing_id": 1, "no_text": 1}
    assert summary.notes == {"articles_left_out_not_published": 2, "articles_left_out_not_public": 1}
    assert (summary.rows_in, summary.articles_in, summary.articles, summary.came) == (7, 4, 1, "4 articles")
    lines = [json.loads(line) for line in (tmp_path / "raw" / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert [line["source"] for line in lines] == ["kb.jsonl:row-5", "kb.jsonl:row-6", "kb.jsonl:row-7"]


def test_by_our_own_names_a_table_needs_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "kb.csv.gz"
    path.write_bytes(gzip.compress(b"article_id,title,text,state\na,Mail,Send it,published\nb,Draft,x,draft\n"))
    import_articles([path], tmp_path / "raw")
    assert load_raw(tmp_path / "raw").articles["article_id"].tolist() == ["a"]


def test_pages_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "kb/mail/send.md", "# Send *mail*\n\nOpen the outbox.\n## More\ntext\n")
    put(tmp_path / "kb/print.html", "<html><title>Print &amp; scan</title><script>x()</script><p>Choose it.</p>")
    put(tmp_path / "kb/secret.md", "---\nid: S-1\nvisibility: internal\n---\n# Secret\nx")
    put(tmp_path / "kb/own.md", "---\nid: O-1\ntitle: Own\nurl: https://help.example/own\nlanguage: de\n---\nHallo")
    put(tmp_path / "kb/empty.md", "")
    put(tmp_path / "kb/picture.png", "no page")
    (tmp_path / "kb/broken.md").write_bytes(b"\xff\xfe\xff")
    put(tmp_path / "kb/front.md", "---\n[: not yaml\n---\nx")
    summary = import_articles([tmp_path / "kb"], tmp_path / "raw")
    found = load_raw(tmp_path / "raw").articles.set_index("article_id")
    assert sorted(found.index) == ["O-1", "empty", "mail/send", "print"]
    assert found.loc["mail/send", "title"] == "Send *mail*" and "Open the outbox" in found.loc["mail/send", "text"]
    assert found.loc["print", "title"] == "Print & scan"
    assert found.loc["O-1", "url"] == "https://help.example/own" and found.loc["O-1", "language"] == "de"
    assert summary.refused == {"bad_encoding": 1, "unreadable_record": 1}
    assert summary.notes == {"articles_left_out_not_public": 1}


def test_what_an_article_says_now_counts_and_replace_takes_the_others_away(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    import_articles([put(tmp_path / "a.csv", "article_id,title,text\n1,Old,x\n2,Stays,x\n")], raw)
    again = put(tmp_path / "b.csv", "article_id,title,text\n1,New,y\n")
    import_articles([again], raw)
    assert dict(load_raw(raw).articles[["article_id", "title"]].to_numpy().tolist()) == {"1": "New", "2": "Stays"}
    import_articles([again], raw, replace=True)
    assert load_raw(raw).articles["article_id"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("article_id: id\n", "need `text`"), ("text: body\n", "need `article_id`"), ("article: id\n", "did you mean"),
     ("article_id: id\ntext: body\nstate: {column: live, levels: {a: life}}\n", "published"), ("- 1\n", "expected")],
)  # fmt: skip
def test_a_wrong_mapping_is_told_what_to_write(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(MappingError) as error:
        load_article_mapping(put(tmp_path / "m.yaml", text))
    assert says in str(error.value)


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    mapping = load_article_mapping(put(tmp_path / "m.yaml", "article_id: id\ntext: boddy\n"))
    with pytest.raises(MappingError, match="did you mean 'body'"):
        import_articles([table(tmp_path)], tmp_path / "raw", mapping=mapping)
    with pytest.raises(MappingError, match="article_id"):
        import_articles([table(tmp_path)], tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_nothing_to_import_is_said(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no article"):
        import_articles([tmp_path / "none"], tmp_path / "raw")
    with pytest.raises(InputError):
        import_articles([tmp_path / "absent.csv"], tmp_path / "raw")


def test_a_page_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        import_articles([tmp_path / "absent.md"], tmp_path / "raw")
